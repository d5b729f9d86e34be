/** The machine's limit for matrix products: a plain 1600×768×3072 MatMul in ONNX Runtime. */
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { ReplayedFunction } from 'tfjs-onnxruntime';

const M = 1600;
const K = 768;
const N = 3072;

/** GFLOP/s of the fastest of some runs. */
export function gemmLimit() {
  const ones = (/** @type {number} */ rows, /** @type {number} */ columns) => ({
    data: new Float32Array(rows * columns).fill(0.5),
    shape: [rows, columns],
    dtype: /** @type {const} */ ('float32'),
  });
  const product = new ReplayedFunction(
    (_state, inputs) => ({
      state: {},
      outputs: {
        product: tf.matMul(/** @type {tf.Tensor} */ (inputs.a), /** @type {tf.Tensor} */ (inputs.b)),
      },
    }),
    {},
  );
  const entries = product.profile({ a: ones(M, K), b: ones(K, N) });
  product.dispose();
  const ms = entries.filter(({ op }) => /Gemm|MatMul/.test(op)).reduce((sum, e) => sum + e.ms, 0);
  return (2 * M * K * N) / ms / 1e6;
}
