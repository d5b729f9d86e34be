/**
 * The machine's limit for matrix products: the best rate of plain MatMuls of several shapes in ONNX Runtime. One shape alone
 * gives too little: which one is fastest depends on the processor.
 */
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { ReplayedFunction } from 'tfjs-onnxruntime';

/** [M, K, N]: layers of the shapes that are timed, and larger ones. */
const SHAPES = /** @type {const} */ ([
  [1600, 768, 3072],
  [1600, 384, 1536],
  [1600, 1536, 384],
  [1152, 384, 384],
  [2048, 1024, 1024],
]);
const REPEATS = 3;

const constant = (/** @type {number} */ rows, /** @type {number} */ columns) => ({
  data: new Float32Array(rows * columns).fill(0.5),
  shape: [rows, columns],
  dtype: /** @type {const} */ ('float32'),
});

/** GFLOP/s of the fastest of some runs. @param {readonly [number, number, number]} shape */
function rateOf([M, K, N]) {
  const product = new ReplayedFunction(
    (_state, inputs) => ({
      state: {},
      outputs: {
        product: tf.matMul(/** @type {tf.Tensor} */ (inputs.a), /** @type {tf.Tensor} */ (inputs.b)),
      },
    }),
    {},
  );
  const times = Array.from({ length: REPEATS }, () => {
    const entries = product.profile({ a: constant(M, K), b: constant(K, N) });
    return entries.filter(({ op }) => /Gemm|MatMul/.test(op)).reduce((sum, { ms }) => sum + ms, 0);
  });
  product.dispose();
  return (2 * M * K * N) / Math.min(...times) / 1e6;
}

/** GFLOP/s of the fastest shape. */
export const gemmLimit = () => Math.max(...SHAPES.map(rateOf));
