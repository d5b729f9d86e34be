/**
 * Milliseconds of a forward pass of exported towers in onnxruntime-node, ours beside PyTorch.
 *
 *   npm run bench -- forward [--tower vision.vit_b32] [--peer torch] [--repeats 3] [--rounds 3]
 *
 * Each side runs in a process of its own and they take turns; the medians over all timed passes are printed.
 * PYTHON names the interpreter with PyTorch 2.13 and transformers 4.57.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, pause } from '../shared/measure.mjs';
import { startSide } from '../shared/side.mjs';
import { BATCHES, TOWERS } from './towers.mjs';

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

const { values } = parseArgs({
  options: {
    tower: { type: 'string', default: 'all' },
    peer: { type: 'string', multiple: true, default: [] },
    repeats: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
  },
});
const names = values.tower === 'all' ? Object.keys(TOWERS) : [values.tower];
const unknown = [
  ...names
    .filter((name) => !TOWERS[name])
    .map((name) => `tower "${name}" (${Object.keys(TOWERS).join(', ')})`),
  ...values.peer.filter((peer) => peer !== 'torch').map((peer) => `peer "${peer}" (torch)`),
];
if (unknown.length > 0) {
  console.error(`unknown ${unknown.join('; ')}`);
  process.exit(2);
}

/** @param {string} name @param {import('./towers.mjs').TimedTower} tower */
async function compare(name, tower) {
  const ours = startSide('ours', process.execPath, [here('./ours.mjs'), name, values.repeats]);
  const sides = [ours];
  if (values.peer.includes('torch')) {
    const python = process.env.PYTHON ?? 'python3';
    const args = [here('../peers/forward.py'), JSON.stringify(tower), values.repeats];
    sides.push(startSide('torch', python, args));
  }
  for (const batch of BATCHES) {
    const key = `forward.${name}.b${batch}`;
    /** @type {Map<string, number[]>} */
    const times = new Map(sides.map((side) => [side.name, []]));
    for (const side of sides) await side.run(batch); // the first passes allocate
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const side of sides) {
        await pause(200); // threads of the other side stop spinning
        times.get(side.name)?.push(...(await side.run(batch)).ms);
      }
    }
    const own = median(times.get('ours') ?? []);
    console.log(`${key}.ours: ${own.toFixed(1)} ms`);
    console.log(`${key}.ours.rate: ${((1000 * batch) / own).toFixed(1)} ${tower.unit}`);
    for (const side of sides.slice(1)) {
      const peer = median(times.get(side.name) ?? []);
      console.log(`${key}.${side.name}: ${peer.toFixed(1)} ms`);
      console.log(`${key}.ratio_${side.name}: ${(peer / own).toFixed(2)}`);
    }
  }
  for (const side of sides) side.stop();
}

for (const name of names) {
  const tower = TOWERS[name];
  if (tower) await compare(name, tower);
}
