/** Matrix products: Gemm for matrices, FusedMatMul for batches of them. */
import { filled } from './layout.js';
import { add, op } from './ops.js';
import { broadcastShapes } from './shape.js';
import type { Value } from './value.js';

export interface MatMulOptions {
  transposeA?: boolean;
  transposeB?: boolean;
  /** Factor on the product. */
  alpha?: number;
}

/**
 * Matrix product over the last two axes with broadcast leading axes: Gemm for rank 2, FusedMatMul otherwise. Zeros where
 * there is nothing to sum: ONNX Runtime's FusedMatMul leaves there what the memory held.
 */
export function matMul(a: Value, b: Value, options: MatMulOptions = {}): Value {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  const m = a.shape.at(transposeA ? -1 : -2)!;
  const n = b.shape.at(transposeB ? -2 : -1)!;
  if (a.shape.length === 2 && b.shape.length === 2) return gemm(a, b, undefined, options);
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  if (a.shape.at(transposeA ? -2 : -1) === 0) return filled(0, a.type, shape);
  if (!transposeA && !transposeB && alpha === 1) return op('MatMul', [a, b], shape, a.type);
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: { float: alpha } };
  return op('FusedMatMul', [a, b], shape, a.type, attributes, 'com.microsoft');
}

/** α·A·B + C of matrices; C broadcasts to [M,N]. */
export function gemm(a: Value, b: Value, c: Value | undefined, options: MatMulOptions = {}): Value {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  const shape = [a.shape[transposeA ? 1 : 0]!, b.shape[transposeB ? 0 : 1]!];
  if (a.shape[transposeA ? 0 : 1] === 0) {
    const zeros = filled(0, a.type, shape);
    return c ? add(zeros, c) : zeros;
  }
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: { float: alpha } };
  return op('Gemm', c ? [a, b, c] : [a, b], shape, a.type, attributes);
}
