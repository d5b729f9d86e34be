/**
 * Image kernels with one lookup per output pixel (crop, affine or projective transform, rotation) and non-maximum
 * suppression: computed on the host. Images are [B, H, W, C].
 */
import * as tf from '@tensorflow/tfjs-core';
import { slice } from '../graph/layout.js';
import { define, type KernelDefinition } from './define.js';
import {
  arrayLike,
  defineHost,
  floats,
  ints,
  type HostResult,
  type HostTensor,
  type NumberType,
} from './host.js';

const { kernel_impls, backend_util } = tf;

/** Reads pixels of one channel of one image; outside the image they are `fill`. */
type Reader = (y: number, x: number) => number;

function reader(image: HostTensor, batch: number, channel: number, fill: number): Reader {
  const [, height, width, channels] = image.shape as [number, number, number, number];
  return (y, x) => {
    if (y < 0 || y >= height || x < 0 || x >= width) return fill;
    return image.data[((batch * height + y) * width + x) * channels + channel]!;
  };
}

const nearest = (read: Reader, y: number, x: number): number => read(Math.round(y), Math.round(x));

function bilinear(read: Reader, y: number, x: number): number {
  const top = Math.floor(y);
  const left = Math.floor(x);
  const [down, right] = [y - top, x - left];
  const row = (at: number): number =>
    (1 - right) * read(at, left) + (right > 0 ? right * read(at, left + 1) : 0);
  return (1 - down) * row(top) + (down > 0 ? down * row(top + 1) : 0);
}

/** Crops the boxes (y1, x1, y2, x2, in units of the image's size) out of the images and resizes them. */
function cropAndResize(
  image: HostTensor,
  boxes: HostTensor,
  boxInd: HostTensor,
  attrs: tf.CropAndResizeAttrs,
): HostResult {
  const [batch, height, width, channels] = image.shape as [number, number, number, number];
  const [rows, columns] = attrs.cropSize;
  const count = boxes.shape[0]!;
  const output = new Float32Array(count * rows * columns * channels);
  const position = (i: number, size: number, low: number, high: number, extent: number): number =>
    size > 1
      ? low * (extent - 1) + (i * (high - low) * (extent - 1)) / (size - 1)
      : 0.5 * (low + high) * (extent - 1);
  const sample = attrs.method === 'bilinear' ? bilinear : nearest;
  for (let box = 0; box < count; box++) {
    const [y1, x1, y2, x2] = boxes.data.subarray(box * 4, box * 4 + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    const source = boxInd.data[box]!;
    if (source >= batch) continue;
    const readers = Array.from({ length: channels }, (_, c) => reader(image, source, c, 0));
    for (let r = 0; r < rows; r++) {
      const y = position(r, rows, y1, y2, height);
      for (let c = 0; c < columns; c++) {
        const x = position(c, columns, x1, x2, width);
        const outside = y < 0 || y > height - 1 || x < 0 || x > width - 1;
        const at = ((box * rows + r) * columns + c) * channels;
        readers.forEach(
          (read, k) => (output[at + k] = outside ? attrs.extrapolationValue : sample(read, y, x)),
        );
      }
    }
  }
  return floats(output, [count, rows, columns, channels]);
}

const clamp = (x: number, length: number): number => Math.min(length - 1, Math.max(0, x));

/** Maps a coordinate outside [0, length − 1] to the one whose pixel is used instead. */
const COORDINATES: Readonly<Record<string, (x: number, length: number) => number>> = {
  constant: (x) => x,
  nearest: clamp,
  /** dcba|abcd|dcba */
  reflect(x, length) {
    if (x >= 0 && x <= length - 1) return x;
    if (length <= 1) return 0;
    const period = 2 * length;
    const folded = ((x % period) + period) % period;
    return clamp(folded >= length ? period - folded - 1 : folded, length);
  },
  /** abcd|abcd|abcd; like TensorFlow, the fold is at multiples of length − 1. */
  wrap(x, length) {
    if (x >= 0 && x <= length - 1) return x;
    if (length <= 1) return 0;
    const turns = x < 0 ? Math.trunc(-x / (length - 1)) + 1 : -Math.trunc(x / (length - 1));
    return clamp(x + length * turns, length);
  },
};

/** Applies one projective transform [8] per image (or one for all): output pixel → input position. */
function transform(image: HostTensor, transforms: HostTensor, attrs: tf.TransformAttrs): HostResult {
  const [batch, height, width, channels] = image.shape as [number, number, number, number];
  const [rows, columns] = attrs.outputShape ?? [height, width];
  const type = image.dtype as NumberType;
  const output = arrayLike(type, batch * rows * columns * channels, 'Transform');
  const fold = COORDINATES[attrs.fillMode] ?? COORDINATES.constant!;
  const sample = attrs.interpolation === 'nearest' ? nearest : bilinear;
  for (let b = 0; b < batch; b++) {
    const start = transforms.shape[0] === 1 ? 0 : b * 8;
    const [a0, a1, a2, b0, b1, b2, c0, c1] = Array.from(transforms.data.subarray(start, start + 8)) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    for (let k = 0; k < channels; k++) {
      const read = reader(image, b, k, attrs.fillValue);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          const projection = c0 * c + c1 * r + 1;
          if (projection === 0) {
            output[((b * rows + r) * columns + c) * channels + k] = attrs.fillValue;
            continue;
          }
          const x = fold((a0 * c + a1 * r + a2) / projection, width);
          const y = fold((b0 * c + b1 * r + b2) / projection, height);
          output[((b * rows + r) * columns + c) * channels + k] = sample(read, y, x);
        }
      }
    }
  }
  return { dtype: type, shape: [batch, rows, columns, channels], data: output };
}

/** Rotates about `center` (in units of the size) by `radians`; uncovered pixels are filled, alpha with 255. */
function rotate(image: HostTensor, { radians, fillValue, center }: tf.RotateWithOffsetAttrs): HostResult {
  const [batch, height, width, channels] = image.shape as [number, number, number, number];
  const [centerX, centerY] = backend_util.getImageCenter(center, height, width);
  const [sine, cosine] = [Math.sin(radians), Math.cos(radians)];
  const type = image.dtype as NumberType;
  const output = arrayLike(type, image.data.length, 'RotateWithOffset');
  for (let b = 0; b < batch; b++) {
    for (let k = 0; k < channels; k++) {
      const fill = typeof fillValue === 'number' ? fillValue : k === 3 ? 255 : fillValue[k]!;
      const read = reader(image, b, k, fill);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const [dx, dy] = [x - centerX, y - centerY];
          const at = ((b * height + y) * width + x) * channels + k;
          output[at] = nearest(read, dx * sine + dy * cosine + centerY, dx * cosine - dy * sine + centerX);
        }
      }
    }
  }
  return { dtype: type, shape: image.shape, data: output };
}

type Boxes = Record<'boxes' | 'scores', HostTensor>;

export const imageKernels: KernelDefinition[] = [
  defineHost<'image' | 'boxes' | 'boxInd', tf.CropAndResizeAttrs>(
    'CropAndResize',
    ({ image, boxes, boxInd }, attrs) => cropAndResize(image, boxes, boxInd, attrs),
  ),
  defineHost<'image' | 'transforms', tf.TransformAttrs>('Transform', ({ image, transforms }, attrs) =>
    transform(image, transforms, attrs),
  ),
  defineHost<'image', tf.RotateWithOffsetAttrs>('RotateWithOffset', ({ image }, attrs) =>
    rotate(image, attrs),
  ),
  define<'image'>('FlipLeftRight', ({ image }) => {
    const width = image.shape[2]!;
    return slice(image, [{ axis: 2, start: width - 1, end: -1 - width, step: -1 }]);
  }),
  defineHost<keyof Boxes, tf.NonMaxSuppressionV3Attrs>('NonMaxSuppressionV3', ({ boxes, scores }, attrs) => {
    const { maxOutputSize, iouThreshold, scoreThreshold } = attrs;
    const { selectedIndices } = kernel_impls.nonMaxSuppressionV3Impl(
      boxes.data,
      scores.data,
      maxOutputSize,
      iouThreshold,
      scoreThreshold,
    );
    return ints(selectedIndices);
  }),
  defineHost<keyof Boxes, tf.NonMaxSuppressionV4Attrs>('NonMaxSuppressionV4', ({ boxes, scores }, attrs) => {
    const { maxOutputSize, iouThreshold, scoreThreshold, padToMaxOutputSize } = attrs;
    const { selectedIndices, validOutputs } = kernel_impls.nonMaxSuppressionV4Impl(
      boxes.data,
      scores.data,
      maxOutputSize,
      iouThreshold,
      scoreThreshold,
      padToMaxOutputSize,
    );
    return [ints(selectedIndices), ints([validOutputs!], [])];
  }),
  defineHost<keyof Boxes, tf.NonMaxSuppressionV5Attrs>('NonMaxSuppressionV5', ({ boxes, scores }, attrs) => {
    const { maxOutputSize, iouThreshold, scoreThreshold, softNmsSigma } = attrs;
    const { selectedIndices, selectedScores } = kernel_impls.nonMaxSuppressionV5Impl(
      boxes.data,
      scores.data,
      maxOutputSize,
      iouThreshold,
      scoreThreshold,
      softNmsSigma,
    );
    return [ints(selectedIndices), floats(selectedScores!, [selectedScores!.length])];
  }),
];
