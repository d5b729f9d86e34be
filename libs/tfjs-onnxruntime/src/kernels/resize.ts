/**
 * Resizing images [B, H, W, C]. It is linear and separable: the product with a constant [out, in] matrix along the
 * height and along the width. So the gradients are the products with the transposed matrices.
 */
import { gather, reshape } from '../graph/layout.js';
import { cast } from '../graph/ops.js';
import { matMul } from '../graph/products.js';
import { materialised, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';

interface ResizeAttrs {
  alignCorners: boolean;
  halfPixelCenters?: boolean;
}

const scaleOf = (from: number, to: number, { alignCorners }: ResizeAttrs): number =>
  alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;

/** Rows of interpolation weights [to, from]: two neighbours each. */
function bilinearMatrix(from: number, to: number, attrs: ResizeAttrs): Float32Array {
  const matrix = new Float32Array(to * from);
  const scale = scaleOf(from, to, attrs);
  for (let i = 0; i < to; i++) {
    const position = Math.max(0, attrs.halfPixelCenters ? scale * (i + 0.5) - 0.5 : scale * i);
    const low = Math.min(from - 1, Math.floor(position));
    const high = Math.min(from - 1, Math.ceil(position));
    const weight = position - low;
    matrix[i * from + low]! += 1 - weight;
    matrix[i * from + high]! += weight;
  }
  return matrix;
}

/** For each output element the input element it copies. */
function nearestIndices(from: number, to: number, attrs: ResizeAttrs): Int32Array {
  const { alignCorners, halfPixelCenters } = attrs;
  const scale = scaleOf(from, to, attrs);
  return Int32Array.from({ length: to }, (_, i) => {
    const position = halfPixelCenters ? scale * (i + 0.5) : scale * i;
    const nearest = alignCorners ? Math.round(position) : Math.floor(position);
    return Math.min(from - 1, Math.max(0, nearest));
  });
}

/** The same as rows with a single one [to, from]. */
function nearestMatrix(from: number, to: number, attrs: ResizeAttrs): Float32Array {
  const matrix = new Float32Array(to * from);
  nearestIndices(from, to, attrs).forEach((nearest, i) => (matrix[i * from + nearest] = 1));
  return matrix;
}

/** Multiplies height and width of `x` [B, H, W, C] by matrices [rows, H] and [columns, W], or their transposes. */
function multiplyAxes(x: Value, rowMatrix: Value, columnMatrix: Value, transposed: boolean): Value {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const axis = transposed ? 1 : 0;
  const rows = rowMatrix.shape[axis]!;
  const columns = columnMatrix.shape[axis]!;
  const options = { transposeA: transposed };
  const left = (matrix: Value): Value => reshape(matrix, [1, ...matrix.shape]);
  const tall = matMul(left(rowMatrix), reshape(x, [batch, height, width * channels]), options);
  const wide = matMul(left(columnMatrix), reshape(tall, [batch * rows, width, channels]), options);
  return reshape(wide, [batch, rows, columns, channels]);
}

type WeightMatrix = typeof bilinearMatrix;

/** The product with the weight matrices of both axes; they are inputs of the session, since they may be large. */
function resample(
  x: Value,
  make: WeightMatrix,
  from: readonly number[],
  to: readonly number[],
  attrs: ResizeAttrs,
  transposed: boolean,
): Value {
  const matrix = (axis: number): Value =>
    materialised('float32', [to[axis]!, from[axis]!], make(from[axis]!, to[axis]!, attrs));
  return multiplyAxes(cast(x, 'float32'), matrix(0), matrix(1), transposed);
}

const imageSize = (x: Value): number[] => x.shape.slice(1, 3);

const resizeGradient = (name: string, make: WeightMatrix): KernelDefinition =>
  define<'images' | 'dy', ResizeAttrs>(name, ({ images, dy }, attrs) =>
    resample(dy, make, imageSize(images), imageSize(dy), attrs, true),
  );

export const resizeKernels: KernelDefinition[] = [
  define<'images', ResizeAttrs & { size: number[] }>('ResizeBilinear', ({ images }, attrs) =>
    resample(images, bilinearMatrix, imageSize(images), attrs.size, attrs, false),
  ),
  define<'images', ResizeAttrs & { size: number[] }>('ResizeNearestNeighbor', ({ images }, attrs) =>
    imageSize(images).reduce((x, from, axis) => {
      const to = attrs.size[axis]!;
      return gather(x, materialised('int32', [to], nearestIndices(from, to, attrs)), axis + 1);
    }, images),
  ),
  resizeGradient('ResizeBilinearGrad', bilinearMatrix),
  resizeGradient('ResizeNearestNeighborGrad', nearestMatrix),
];
