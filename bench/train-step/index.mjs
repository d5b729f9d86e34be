/**
 * Milliseconds of the trainer's training step (forward, loss, backward, clipped gradients, AdamW), beside others'.
 *
 *   npm run bench -- train-step [--shape a|a+|b|c|d|all] [--peer torch] [--peer torch-fused] [--peer torch-compile]
 *     [--peer tfjs-node] [--steps 4] [--rounds 5] [--peer-timeout 300] [--profile 0] [--markdown]
 *
 * Our towers leave out what no output depends on: the last block of a tower that pools its first token is computed for
 * that token. Shapes a+, b+, c+ compute all of it, as PyTorch's modules do.
 *
 * The medians over all timed steps are printed, with the goals of each shape; --profile N adds the N costliest ops, --markdown
 * a table. PYTHON names the interpreter with PyTorch 2.13 and transformers 4.57. torch-compile compiles for minutes the first
 * time and keeps what it compiled (TORCHINDUCTOR_CACHE_DIR); --peer-timeout bounds how many seconds it may take.
 */
import { parseArgs } from 'node:util';
import { compare } from './compare.mjs';
import { markdownTable, printLines } from './report.mjs';
import { SHAPE_NAMES } from './shapes.mjs';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'a' },
    peer: { type: 'string', multiple: true, default: [] },
    steps: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    'peer-timeout': { type: 'string', default: '300' },
    profile: { type: 'string', default: '0' },
    markdown: { type: 'boolean', default: false },
  },
});
const names = values.shape === 'all' ? SHAPE_NAMES : values.shape.split(',');
const options = {
  steps: Number(values.steps),
  rounds: Number(values.rounds),
  peerTimeout: Number(values['peer-timeout']),
};
const comparisons = [];
for (const name of names) {
  const comparison = await compare(name, values.peer, options);
  printLines(comparison, Number(values.profile));
  comparisons.push(comparison);
}
if (values.markdown) console.log(`\n${markdownTable(comparisons)}`);
