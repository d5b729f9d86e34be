/** Matrix products. One large product is always preferred over a batch of small ones. */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import { reshape, transpose } from '../graph/layout.js';
import { add, binary, cast, mul, op, unary, where } from '../graph/ops.js';
import { gemm, matMul } from '../graph/products.js';
import { sizeOf } from '../graph/shape.js';
import { scalar, type Value } from '../graph/value.js';
import { checked, define, defineList, type KernelDefinition } from './define.js';

interface ProductOptions {
  transposeA: boolean;
  transposeB: boolean;
  /** Whether the graph may hold ops of the native addon. */
  native: boolean;
}

const float = (x: Value): Value => cast(x, 'float32');
const isMatrix = (x: Value): boolean => sizeOf(x.shape.slice(0, -2)) === 1;

/** So many times as wide as high. */
const FAR_WIDER = 8;

/**
 * aᵀ·b with many rows and a result that is wider than it is high, as in the weight gradient of a layer that narrows;
 * undefined for other shapes. Computing bᵀ·a and transposing the small result is faster in ONNX Runtime. Where the
 * result is far wider, as in the gradient of a patch embedding, transposing `a` first is faster still: the product
 * transposes its left operand again for every 128 columns of the right one.
 */
function longAndWide(a: Value, b: Value): Value | undefined {
  const [N, D] = a.shape as [number, number];
  const ratio = b.shape[1]! / D;
  if (N < 1024 || D < 64 || ratio < 2) return undefined;
  if (ratio < FAR_WIDER || D % 2 !== 0) return transpose(matMul(b, a, { transposeA: true }), [1, 0]);
  // With an extra axis, because ONNX Runtime would fuse a plain transposition back into the product.
  return matMul(reshape(transpose(reshape(a, [N, 2, D / 2]), [1, 2, 0]), [D, N]), b);
}

/** Fewest rows and columns of what the addon multiplies; ONNX Runtime is as fast on less, and on results that are far wider. */
const NATIVE_ROWS = 256;
const NATIVE_COLUMNS = 8;

/** aᵀ·b in the native addon, which needs no transposed copy of either: the gradient of a layer's weights. */
function nativeTransposedGemm(a: Value, b: Value): Value | undefined {
  const [K, M] = a.shape as [number, number];
  const N = b.shape[1]!;
  if (K < NATIVE_ROWS || Math.min(M, N) < NATIVE_COLUMNS || N >= FAR_WIDER * M) return undefined;
  return op('TransposedGemm', [a, b], [M, N], 'float32', { alpha: { float: 1 } }, 'ort.native');
}

/**
 * a·b with broadcast leading axes. When only `a` is batched and not transposed, [.., M, K] × [K, N] is the single
 * product [..·M, K] × [K, N].
 */
function batchMatMul(a: Value, b: Value, { transposeA, transposeB, native }: ProductOptions): Value {
  const rank = Math.max(a.shape.length, b.shape.length);
  const inner = [a.shape.at(transposeA ? -2 : -1), b.shape.at(transposeB ? -1 : -2)];
  if (a.shape.length < 2 || b.shape.length < 2 || inner[0] !== inner[1]) {
    throw new EngineError(
      'SHAPE_MISMATCH',
      `the inner dimensions of the matrices differ: ${inner[0]} and ${inner[1]}.`,
    );
  }
  const isTransposed = rank === 2 && transposeA && !transposeB;
  const special = isTransposed
    ? ((native ? nativeTransposedGemm(a, b) : undefined) ?? longAndWide(a, b))
    : undefined;
  if (special) return special;
  if (!isMatrix(b) || rank === 2) return matMul(a, b, { transposeA, transposeB });
  const matrix = reshape(b, b.shape.slice(-2));
  const columns = matrix.shape[transposeB ? 0 : 1]!;
  if (isMatrix(a)) {
    const product = matMul(reshape(a, a.shape.slice(-2)), matrix, { transposeA, transposeB });
    return reshape(product, [...new Array<number>(rank - 2).fill(1), ...product.shape]);
  }
  if (transposeA) return matMul(a, b, { transposeA, transposeB });
  const rows = reshape(a, [sizeOf(a.shape.slice(0, -1)), a.shape.at(-1)!]);
  const lead = [...new Array<number>(rank - a.shape.length).fill(1), ...a.shape.slice(0, -1)];
  return reshape(matMul(rows, matrix, { transposeB }), [...lead, columns]);
}

/** The activations that TensorFlow.js fuses into products and convolutions. */
export function activate(x: Value, activation: string | undefined, alpha?: number, prelu?: Value): Value {
  switch (activation) {
    case undefined:
    case null:
    case 'linear':
      return x;
    case 'relu':
      return unary('Relu', x);
    case 'relu6':
      return op('Clip', [x, scalar(0), scalar(6)], x.shape, x.type);
    case 'elu':
      return unary('Elu', x);
    case 'sigmoid':
      return unary('Sigmoid', x);
    case 'leakyrelu':
      return unary('LeakyRelu', x, x.type, { alpha: { float: alpha ?? 0.2 } });
    case 'prelu':
      return where(binary('Less', x, scalar(0), 'bool'), mul(x, prelu!), x);
    default:
      throw new EngineError('UNSUPPORTED_ARGUMENT', `unknown activation "${activation}".`);
  }
}

const einsum = defineList<tf.EinsumAttrs>('Einsum', (values, { equation }) => {
  const [left, right] = equation.replace(/\s/g, '').split('->');
  const sizes = new Map<string, number>();
  left!
    .split(',')
    .forEach((term, i) => [...term].forEach((letter, k) => sizes.set(letter, values[i]!.shape[k]!)));
  const shape = [...right!].map((letter) => sizes.get(letter)!);
  return op('Einsum', values.map(float), shape, 'float32', { equation });
});

export const matMulKernels: KernelDefinition[] = [
  define<'a' | 'b', tf.BatchMatMulAttrs>('BatchMatMul', ({ a, b }, { transposeA, transposeB }, backend) => {
    const options = { transposeA, transposeB, native: backend.recordsNative };
    const product = batchMatMul(float(a), float(b), options);
    return cast(product, a.type === 'int32' && b.type === 'int32' ? 'int32' : 'float32');
  }),
  define<'a' | 'b' | 'bias' | 'preluActivationWeights', tf._FusedMatMulAttrs>(
    '_FusedMatMul',
    ({ a, b, bias, preluActivationWeights }, attributes, backend) => {
      const { transposeA, transposeB, activation, leakyreluAlpha } = attributes;
      const options = { transposeA, transposeB, native: backend.recordsNative };
      const matrices = a.shape.length === 2 && b.shape.length === 2;
      const sum =
        bias && matrices
          ? gemm(a, b, bias, { transposeA, transposeB })
          : bias
            ? add(batchMatMul(a, b, options), bias)
            : batchMatMul(a, b, options);
      return activate(sum, activation, leakyreluAlpha, preluActivationWeights);
    },
  ),
  checked(einsum, (infos, attrs) => {
    const tensors = Object.values(infos) as tf.Tensor[];
    const { allDims, idDims } = tf.backend_util.decodeEinsumEquation(
      attrs.equation as string,
      tensors.length,
    );
    tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors);
  }),
];
