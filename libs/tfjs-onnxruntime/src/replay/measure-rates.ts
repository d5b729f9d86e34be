/** How fast this machine computes, from a fraction of a second of work, and how long a graph's work then takes. */
import * as tf from '@tensorflow/tfjs-core';
import type { Work } from '../graph/work.js';
import { ReplayedFunction } from './replayed-function.js';

/** Both per second. */
export interface MachineRates {
  /** Floating-point operations of matrix products. */
  productFlops: number;
  /** Bytes that elementwise ops read and write. */
  bytes: number;
}

const SIDE = 768;
const ELEMENTS = 1 << 22;
const REPEATS = 3;

/**
 * Convolutions as towers have them (few channels, or depthwise) take this many times as long as a matrix product of as
 * many operations; chosen to fit steps of MobileNetV2.
 */
const CONVOLUTION_FACTOR = 8;

/** On the CPU, with all threads. Takes about a tenth of a second. */
export async function measureRates(): Promise<MachineRates> {
  const product = await secondsOf([SIDE, SIDE], (x) => tf.matMul(x, x));
  const pass = await secondsOf([ELEMENTS], (x) => tf.abs(x));
  return { productFlops: (2 * SIDE ** 3) / product, bytes: (2 * ELEMENTS * 4) / pass };
}

/** The shortest time of some runs of a function, of which the first compiles. */
async function secondsOf(shape: number[], f: (x: tf.Tensor) => tf.Tensor): Promise<number> {
  const replayed = new ReplayedFunction(
    (state) => ({ state: {}, outputs: { first: tf.slice(tf.reshape(f(state.x!), [-1]), [0], [1]) } }),
    { x: { data: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5), shape, dtype: 'float32' } },
  );
  let shortest = Infinity;
  for (let n = 0; n <= REPEATS; n++) {
    const started = performance.now();
    await replayed.run({});
    if (n > 0) shortest = Math.min(shortest, performance.now() - started);
  }
  replayed.dispose();
  return shortest / 1000;
}

/** Seconds that some work takes, at a machine's rates. */
export const secondsOfWork = (work: Work, rates: MachineRates): number =>
  (work.productFlops + CONVOLUTION_FACTOR * work.convolutionFlops) / rates.productFlops +
  work.bytes / rates.bytes;
