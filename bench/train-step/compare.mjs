/**
 * Times one shape: our side and its peers in processes of their own, which take turns, so that a busy or slow machine is slow for
 * all of them.
 */
import { fileURLToPath } from 'node:url';
import { pause } from '../shared/measure.mjs';
import { startSide } from '../shared/side.mjs';
import { gemmLimit } from './gemm-limit.mjs';
import { OPTIMIZER, shapeNamed } from './shapes.mjs';

/**
 * @typedef {{ label: string, ms: number[], parameters: number, peakRssMb: number, failure?: string }} Side
 * @typedef {{ op: string, kernel: string, shapes: string, count: number, ms: number }} ProfileEntry
 * @typedef {{ totalMs: number, gemmMs: number, gemmFlops: number, profile: ProfileEntry[] }} Profile
 * @typedef {{ name: string, ours: Side, others: Side[], profile: Profile, gemmLimit: number }} Comparison
 */

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * PyTorch's eager mode, the same with AdamW's fused kernel, and that compiled.
 * @type {Record<string, { fused?: boolean, compile?: boolean }>}
 */
const TORCH = { torch: {}, 'torch-fused': { fused: true }, 'torch-compile': { fused: true, compile: true } };

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

/**
 * @param {string} name of the shape
 * @param {string[]} peers
 * @param {{ steps: number, rounds: number, peerTimeout: number }} options seconds that the first steps of a peer may take:
 * a peer that needs longer, or fails, is left out
 * @returns {Promise<Comparison>}
 */
export async function compare(name, peers, { steps, rounds, peerTimeout }) {
  const limitBefore = gemmLimit();
  const side = (/** @type {ReturnType<typeof startSide>} */ process) => ({
    process,
    /** @type {Side} */
    result: { label: process.name.replace('-', '_'), ms: [], parameters: 0, peakRssMb: 0 },
  });
  const ours = side(startSide('ours', process.execPath, [here('./ours.mjs'), name]));
  const others = peers.map((peer) => side(startPeer(peer, name)));
  // The first steps trace, compile and allocate.
  await ours.process.run(2);
  for (const { process, result } of others) {
    try {
      await process.ask('run 2', 1000 * peerTimeout);
    } catch (error) {
      result.failure = error instanceof Error ? error.message : String(error);
    }
  }
  const timed = [ours, ...others].filter(({ result }) => result.failure === undefined);
  for (let round = 0; round < rounds; round++) {
    for (const { process, result } of timed) {
      await pause(200); // threads of the other side stop spinning
      const { ms, parameters, peakRssMb } = await process.run(steps);
      result.ms.push(...ms);
      Object.assign(result, { parameters, peakRssMb });
    }
  }
  const profile = /** @type {Profile} */ (await ours.process.ask('profile'));
  for (const { process } of [ours, ...others]) process.stop();
  return {
    name,
    ours: ours.result,
    others: others.map(({ result }) => result),
    profile,
    gemmLimit: Math.max(limitBefore, gemmLimit()),
  };
}
