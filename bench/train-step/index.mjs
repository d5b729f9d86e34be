/**
 * Milliseconds of a whole training step (forward, loss, backward, AdamW), ours beside others'.
 *
 *   npm run bench -- train-step [--shape a|b|c|all] [--peer torch] [--peer tfjs-node] [--steps 4] [--rounds 5]
 *
 * Each side runs in a process of its own and they take turns, so that a busy or slow machine is slow for all of them;
 * the medians over all timed steps are printed. PYTHON names the interpreter with PyTorch 2.13 and transformers 4.57.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gemmLimit } from './gemm-limit.mjs';
import { SHAPES } from './shapes.mjs';
import { startSide } from './side.mjs';

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {number[]} numbers */
function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {string} peer @param {string} name */
function startPeer(peer, name) {
  if (peer === 'torch') {
    const python = process.env.PYTHON ?? 'python3';
    return startSide(peer, python, [here('../peers/train_step.py'), JSON.stringify(SHAPES[name])]);
  }
  if (peer === 'tfjs-node')
    return startSide(peer, process.execPath, [here('./eager.mjs'), name, 'tfjs-node']);
  throw new Error(`unknown peer "${peer}": torch or tfjs-node`);
}

/** @param {string} name @param {string[]} peers @param {number} steps @param {number} rounds */
async function compare(name, peers, steps, rounds) {
  const sides = [
    startSide('ours', process.execPath, [here('./ours.mjs'), name]),
    ...peers.map((peer) => startPeer(peer, name)),
  ];
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(sides.map((side) => [side.name, []]));
  /** @type {Record<string, { parameters: number, peakRssMb: number }>} */
  const last = {};
  // The first steps trace, compile and allocate.
  for (const side of sides) await side.run(2);
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      await pause(200); // threads of the other side stop spinning
      const result = await side.run(steps);
      times[side.name].push(...result.ms);
      last[side.name] = result;
    }
  }
  const profile = await sides[0].profile();
  for (const side of sides) side.stop();

  const { batch } = SHAPES[name];
  const ours = median(times.ours);
  console.log(`train_step.${name}.parameters: ${last.ours.parameters}`);
  for (const side of sides) {
    const ms = median(times[side.name]);
    const prefix = `train_step.${name}.${side.name.replace('-', '_')}`;
    console.log(`${prefix}: ${ms.toFixed(1)} ms`);
    console.log(`${prefix}.fastest: ${Math.min(...times[side.name]).toFixed(1)} ms`);
    console.log(`${prefix}.throughput: ${((1000 * batch) / ms).toFixed(1)} images/s`);
    console.log(`${prefix}.peak_rss: ${last[side.name].peakRssMb} MB`);
    if (side.name === 'ours') continue;
    const suffix = side.name.replace('-', '_');
    console.log(`train_step.${name}.ratio_${suffix}: ${(ms / ours).toFixed(3)}`);
    console.log(
      `train_step.${name}.ratio_${suffix}_fastest: ${(Math.min(...times[side.name]) / Math.min(...times.ours)).toFixed(3)}`,
    );
    console.log(
      `train_step.${name}.rss_ratio_${suffix}: ${(last.ours.peakRssMb / last[side.name].peakRssMb).toFixed(2)}`,
    );
  }
  const limit = gemmLimit();
  const share = profile.gemmMs / profile.totalMs;
  const achieved = profile.gemmFlops / profile.gemmMs / 1e6;
  console.log(`train_step.${name}.gemm_share: ${(100 * share).toFixed(1)} %`);
  console.log(`train_step.${name}.gemm_rate: ${achieved.toFixed(1)} GFLOP/s`);
  console.log(`train_step.${name}.gemm_limit: ${limit.toFixed(1)} GFLOP/s`);
  console.log(
    `train_step.${name}.step_of_limit: ${((100 * profile.gemmFlops) / ours / 1e6 / limit).toFixed(1)} %`,
  );
}

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'a' },
    peer: { type: 'string', multiple: true, default: [] },
    steps: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
  },
});
const names = values.shape === 'all' ? Object.keys(SHAPES) : values.shape.split(',');
for (const name of names) {
  if (!SHAPES[name]) throw new Error(`unknown shape "${name}": ${Object.keys(SHAPES).join(', ')} or all`);
  await compare(name, values.peer, Number(values.steps), Number(values.rounds));
}
