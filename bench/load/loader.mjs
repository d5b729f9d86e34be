/** Loads the text tower of a folder and prints how long that took and the highest resident memory of this process. */
import { loadTextTower } from '@clip-ts/clip/model';
import { peakRssMb } from '../shared/side.mjs';

const started = performance.now();
const { tensors } = await loadTextTower(process.argv[2] ?? '');
const ms = performance.now() - started;
if (Object.keys(tensors).length === 0) throw new Error('nothing was loaded');
console.log(JSON.stringify({ ms, peakRssMb: peakRssMb() }));
