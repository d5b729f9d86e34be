/**
 * Milliseconds of the trainer's training step (forward, loss, backward, clipped gradients, AdamW), beside others'.
 *
 *   npm run bench -- train-step [--shape a|b|c|d|all] [--peer torch] [--peer torch-fused] [--peer tfjs-node] [--steps 4] [--rounds 5]
 *
 * Our towers leave out what no output depends on: the last block of a tower that pools its first token is computed for
 * that token. Shapes a+, b+, c+ compute all of it, as PyTorch's modules do.
 *
 * Each side runs in a process of its own and they take turns, so that a busy or slow machine is slow for all of them;
 * the medians over all timed steps are printed. PYTHON names the interpreter with PyTorch 2.13 and transformers 4.57.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gemmLimit } from './gemm-limit.mjs';
import { OPTIMIZER, SHAPE_NAMES, shapeNamed } from './shapes.mjs';
import { median, pause } from '../shared/measure.mjs';
import { startSide } from '../shared/side.mjs';

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * PyTorch's eager mode, and with AdamW's fused kernel.
 * @type {Record<string, { fused?: boolean }>}
 */
const TORCH = { torch: {}, 'torch-fused': { fused: true } };

/** @param {string} peer @param {string} name */
function startPeer(peer, name) {
  const torch = TORCH[peer];
  if (torch !== undefined) {
    const python = process.env.PYTHON ?? 'python3';
    return startSide(peer, python, [
      here('../peers/train_step.py'),
      JSON.stringify({ ...shapeNamed(name), optimizer: OPTIMIZER, ...torch }),
    ]);
  }
  if (peer === 'tfjs-node')
    return startSide(peer, process.execPath, [here('./eager.mjs'), name, 'tfjs-node']);
  throw new Error(`unknown peer "${peer}": ${Object.keys(TORCH).join(', ')} or tfjs-node`);
}

/** @param {string} name @param {string[]} peers @param {number} steps @param {number} rounds */
async function compare(name, peers, steps, rounds) {
  const side = (/** @type {ReturnType<typeof startSide>} */ process) => ({
    ...process,
    label: process.name.replace('-', '_'),
    /** @type {number[]} */
    ms: [],
    parameters: 0,
    peakRssMb: 0,
  });
  const ours = side(startSide('ours', process.execPath, [here('./ours.mjs'), name]));
  const others = peers.map((peer) => side(startPeer(peer, name)));
  const sides = [ours, ...others];
  // The first steps trace, compile and allocate.
  for (const each of sides) await each.run(2);
  for (let round = 0; round < rounds; round++) {
    for (const each of sides) {
      await pause(200); // threads of the other side stop spinning
      const { ms, parameters, peakRssMb } = await each.run(steps);
      each.ms.push(...ms);
      Object.assign(each, { parameters, peakRssMb });
    }
  }
  const profile = await ours.profile();
  for (const each of sides) each.stop();

  const print = (/** @type {string} */ key, /** @type {string | number} */ value) =>
    console.log(`train_step.${name}.${key}: ${value}`);
  const step = median(ours.ms);
  print('parameters', ours.parameters);
  for (const { label, ms, peakRssMb } of sides) {
    print(label, `${median(ms).toFixed(1)} ms`);
    print(`${label}.fastest`, `${Math.min(...ms).toFixed(1)} ms`);
    print(`${label}.throughput`, `${((1000 * shapeNamed(name).batch) / median(ms)).toFixed(1)} images/s`);
    print(`${label}.peak_rss`, `${peakRssMb} MB`);
  }
  for (const { label, ms, peakRssMb } of others) {
    print(`ratio_${label}`, (median(ms) / step).toFixed(3));
    print(`ratio_${label}_fastest`, (Math.min(...ms) / Math.min(...ours.ms)).toFixed(3));
    print(`rss_ratio_${label}`, (ours.peakRssMb / peakRssMb).toFixed(2));
  }
  const { totalMs, gemmMs, gemmFlops } = profile;
  const limit = gemmLimit();
  print('gemm_share', `${((100 * gemmMs) / totalMs).toFixed(1)} %`);
  print('gemm_rate', `${(gemmFlops / gemmMs / 1e6).toFixed(1)} GFLOP/s`);
  print('gemm_limit', `${limit.toFixed(1)} GFLOP/s`);
  print('step_of_limit', `${((100 * gemmFlops) / step / 1e6 / limit).toFixed(1)} %`);
}

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'a' },
    peer: { type: 'string', multiple: true, default: [] },
    steps: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
  },
});
const names = values.shape === 'all' ? SHAPE_NAMES : values.shape.split(',');
for (const name of names) await compare(name, values.peer, Number(values.steps), Number(values.rounds));
