/** Kernels that move elements without computing on them: reshape, slices, joins, padding, filling. */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import { concat, expand, filled, pad, reshape, slice, transpose } from '../graph/layout.js';
import { cast, op, where } from '../graph/ops.js';
import { normalizeAxes, range, sameShape, sizeOf } from '../graph/shape.js';
import { int64s, node, scalar, type ElementType, type Value } from '../graph/value.js';
import { define, defineList, defineRaw, type KernelDefinition } from './define.js';

const shapes: KernelDefinition[] = [
  define<'x', tf.ReshapeAttrs>('Reshape', ({ x }, { shape }) =>
    reshape(x, tf.util.inferFromImplicitShape(shape, sizeOf(x.shape))),
  ),
  define<'input', { dim: number }>('ExpandDims', ({ input }, { dim }) => {
    const rank = input.shape.length;
    if (dim < -(rank + 1) || dim > rank) {
      throw new EngineError('BAD_INPUT', `axis must be in [${-(rank + 1)}, ${rank}], found ${dim}.`);
    }
    const at = dim < 0 ? dim + rank + 1 : dim;
    return reshape(input, [...input.shape.slice(0, at), 1, ...input.shape.slice(at)]);
  }),
  define<'x', tf.TransposeAttrs>('Transpose', ({ x }, { perm }) => transpose(x, perm)),
  define<'x', tf.TileAttrs>('Tile', ({ x }, { reps }) => tile(x, reps)),
  define<'x', tf.BroadCastToAttrs>('BroadcastTo', ({ x }, { shape }) => expand(x, shape)),
];

/** Repetition; along axes of size 1 it is a broadcast. */
function tile(x: Value, reps: readonly number[]): Value {
  const shape = x.shape.map((d, i) => d * reps[i]!);
  if (reps.every((r) => r === 1)) return x;
  if (x.shape.every((d, i) => d === 1 || reps[i] === 1)) return expand(x, shape);
  return op('Tile', [x, int64s(reps)], shape, x.type);
}

const slices: KernelDefinition[] = [
  define<'x', tf.SliceAttrs>('Slice', ({ x }, { begin, size }) => {
    const target = { shape: [...x.shape] } as tf.Tensor;
    const [starts, sizes] = tf.slice_util.parseSliceParams(target, begin, size) as [number[], number[]];
    tf.slice_util.assertParamsValid(target, starts, sizes);
    return slice(
      x,
      starts.map((start, axis) => ({ axis, start, end: start + sizes[axis]! })),
    );
  }),
  define<'x', tf.StridedSliceAttrs>('StridedSlice', ({ x }, a) => {
    const info = tf.slice_util.sliceInfo(
      [...x.shape],
      a.begin,
      a.end,
      a.strides,
      a.beginMask,
      a.endMask,
      a.ellipsisMask,
      a.newAxisMask,
      a.shrinkAxisMask,
    );
    if (info.isIdentity) return reshape(x, info.finalShape);
    const ranges = info.begin.map((start, axis) => ({
      axis,
      start,
      end: info.end[axis]!,
      step: info.strides[axis]!,
    }));
    return reshape(slice(x, ranges), info.finalShape);
  }),
  define<'x', { dims: number | number[] }>('Reverse', ({ x }, { dims }) => {
    const axes = normalizeAxes(dims, x.shape.length);
    return slice(
      x,
      axes.map((axis) => ({ axis, start: x.shape[axis]! - 1, end: -1 - x.shape[axis]!, step: -1 })),
    );
  }),
  define<'x', tf.SplitVAttrs>('SplitV', ({ x }, { numOrSizeSplits, axis }) => {
    const [a] = normalizeAxes(axis, x.shape.length);
    const sizes = tf.backend_util.prepareSplitSize({ shape: [...x.shape] } as tf.Tensor, numOrSizeSplits, a);
    return split(x, sizes, a!);
  }),
  define<'value', tf.UnpackAttrs>('Unpack', ({ value }, { axis }) => {
    const [a] = normalizeAxes(axis, value.shape.length);
    const shape = value.shape.filter((_, i) => i !== a);
    return split(value, new Array<number>(value.shape[a!]!).fill(1), a!).map((part) => reshape(part, shape));
  }),
];

function split(x: Value, sizes: readonly number[], axis: number): Value[] {
  if (sizes.length === 1) return [x];
  const outputs = sizes.map((size) => ({
    type: x.type,
    shape: x.shape.map((d, i) => (i === axis ? size : d)),
  }));
  return node('Split', [x, int64s(sizes)], { axis }, outputs);
}

const joins: KernelDefinition[] = [
  defineList<tf.ConcatAttrs>('Concat', (values, { axis }) => {
    const a = normalizeAxes(axis, values[0]!.shape.length)[0]!;
    tf.backend_util.assertParamsConsistent(
      values.map((v) => [...v.shape]),
      a,
    );
    return concat(values, a);
  }),
  defineList<tf.PackAttrs>('Pack', (values, { axis }) => {
    const rank = values[0]!.shape.length + 1;
    for (const { shape, type } of values) {
      if (type !== values[0]!.type || !sameShape(shape, values[0]!.shape)) {
        throw new EngineError('SHAPE_MISMATCH', 'all tensors must have the same shape and dtype.');
      }
    }
    const [a] = normalizeAxes(axis, rank);
    return concat(
      values.map((v) => reshape(v, [...v.shape.slice(0, a), 1, ...v.shape.slice(a)])),
      a!,
    );
  }),
];

const paddings: KernelDefinition[] = [
  define<'x', tf.PadV2Attrs>('PadV2', ({ x }, { paddings: p, constantValue }) => {
    const input = x.type === 'bool' ? cast(x, 'int32') : x;
    const padded = pad(
      input,
      p.map(([before]) => before),
      p.map(([, after]) => after),
      constantValue,
    );
    return cast(padded, x.type);
  }),
  define<'x', tf.MirrorPadAttrs>('MirrorPad', ({ x }, { paddings: p, mode }) => {
    if (mode === 'reflect') {
      return pad(
        x,
        p.map(([before]) => before),
        p.map(([, after]) => after),
        0,
        'reflect',
      );
    }
    return p.reduce((value, [before, after], axis) => symmetricPad(value, axis, before, after), x);
  }),
];

/** Mirrors with the edge repeated, one axis at a time. */
function symmetricPad(x: Value, axis: number, before: number, after: number): Value {
  const n = x.shape[axis]!;
  const head = slice(x, [{ axis, start: before - 1, end: -1 - n, step: -1 }]);
  const tail = slice(x, [{ axis, start: n - 1, end: n - 1 - after, step: -1 }]);
  return concat([...(before > 0 ? [head] : []), x, ...(after > 0 ? [tail] : [])], axis);
}

const fills: KernelDefinition[] = [
  defineRaw('Fill', (_inputs, attrs, backend) => {
    const { shape, value, dtype } = attrs as unknown as tf.FillAttrs;
    if (typeof value === 'string') {
      const bytes = tf.util.encodeString(value);
      return backend.makeStrings(new Array<Uint8Array>(sizeOf(shape)).fill(bytes), shape);
    }
    const type = (dtype ?? tf.util.inferDtype(value)) as ElementType;
    return backend.makeTensor(filled(value, type, shape));
  }),
  define<'x'>('ZerosLike', ({ x }) => filled(0, x.type, x.shape)),
  define<'x'>('OnesLike', ({ x }) => filled(1, x.type, x.shape)),
  defineRaw('Range', (_inputs, attrs, backend) => {
    const { start, stop, step, dtype } = attrs as unknown as tf.RangeAttrs;
    // A step of 1 is the default and counts downwards where stop is below start.
    const delta = stop < start && step === 1 ? -1 : step;
    const size = delta === 0 ? 0 : Math.max(0, Math.ceil((stop - start) / delta));
    const type = dtype as ElementType;
    // The end lies between the last element and the one after it, so that rounding cannot change the number.
    const end = start + (type === 'float32' ? size - 0.5 : size) * delta;
    return backend.makeTensor(
      op('Range', [scalar(start, type), scalar(end, type), scalar(delta, type)], [size], type),
    );
  }),
  defineRaw('LinSpace', (_inputs, attrs, backend) => {
    const { start, stop, num } = attrs as unknown as tf.LinSpaceAttrs;
    const step = num > 1 ? (stop - start) / (num - 1) : 0;
    const data = Float32Array.from(range(num), (i) => start + i * step);
    return { dataId: backend.write(data, [num], 'float32'), shape: [num], dtype: 'float32' };
  }),
  define<'indices', tf.OneHotAttrs>('OneHot', ({ indices }, { depth, onValue, offValue, dtype }) => {
    const type = (dtype ?? 'int32') as ElementType;
    const classes = op(
      'Range',
      [scalar(0, 'int32'), scalar(depth, 'int32'), scalar(1, 'int32')],
      [depth],
      'int32',
    );
    const rows = reshape(indices, [...indices.shape, 1]);
    const hit = op('Equal', [rows, classes], [...indices.shape, depth], 'bool');
    if (type === 'bool') return hit;
    return where(hit, scalar(onValue, type), scalar(offValue, type));
  }),
];

const diagonals: KernelDefinition[] = [
  /** The elements of x, of any shape S, on the diagonal of a tensor of shape [...S, ...S]. */
  define<'x'>('Diag', ({ x }) => {
    const n = sizeOf(x.shape);
    const counter = op('Range', [scalar(0, 'int32'), scalar(n, 'int32'), scalar(1, 'int32')], [n], 'int32');
    const onDiagonal = op('Equal', [reshape(counter, [n, 1]), counter], [n, n], 'bool');
    return reshape(where(onDiagonal, reshape(x, [n]), scalar(0, x.type)), [...x.shape, ...x.shape]);
  }),
];

const blocks: KernelDefinition[] = [
  define<'x', tf.DepthToSpaceAttrs>('DepthToSpace', ({ x }, { blockSize: s, dataFormat }) => {
    if (dataFormat !== 'NHWC') {
      throw new EngineError('UNSUPPORTED_ARGUMENT', `only NHWC is implemented, found ${dataFormat}.`);
    }
    const [b, h, w, c] = x.shape as [number, number, number, number];
    const depth = c / (s * s);
    const split6 = reshape(x, [b, h, w, s, s, depth]);
    return reshape(transpose(split6, [0, 1, 3, 2, 4, 5]), [b, h * s, w * s, depth]);
  }),
  define<'x', tf.SpaceToBatchNDAttrs>('SpaceToBatchND', ({ x }, { blockShape, paddings: p }) => {
    const rest = x.shape.length - 1 - blockShape.length;
    const zeros = new Array<number>(rest).fill(0);
    const padded = pad(x, [0, ...p.map((q) => q[0]!), ...zeros], [0, ...p.map((q) => q[1]!), ...zeros]);
    const spatial = blockShape.map((s, i) => [padded.shape[i + 1]! / s, s]);
    const tail = padded.shape.slice(1 + blockShape.length);
    const m = blockShape.length;
    const perm = [
      ...range(m).map((i) => 2 + 2 * i),
      0,
      ...range(m).map((i) => 1 + 2 * i),
      ...range(rest).map((i) => 1 + 2 * m + i),
    ];
    const cut = reshape(padded, [padded.shape[0]!, ...spatial.flat(), ...tail]);
    const batch = padded.shape[0]! * sizeOf(blockShape);
    return reshape(transpose(cut, perm), [batch, ...spatial.map(([n]) => n!), ...tail]);
  }),
  define<'x', tf.BatchToSpaceNDAttrs>('BatchToSpaceND', ({ x }, { blockShape, crops }) => {
    const m = blockShape.length;
    const batch = x.shape[0]! / sizeOf(blockShape);
    const tail = x.shape.slice(1 + m);
    const cut = reshape(x, [...blockShape, batch, ...x.shape.slice(1)]);
    const perm = [
      m,
      ...range(m).flatMap((i) => [m + 1 + i, i]),
      ...range(tail.length).map((i) => 2 * m + 1 + i),
    ];
    const joined = reshape(transpose(cut, perm), [
      batch,
      ...blockShape.map((s, i) => s * x.shape[i + 1]!),
      ...tail,
    ]);
    return slice(
      joined,
      crops.map(([begin, end], i) => ({ axis: i + 1, start: begin!, end: joined.shape[i + 1]! - end! })),
    );
  }),
];

export const transformKernels: KernelDefinition[] = [
  ...shapes,
  ...slices,
  ...joins,
  ...paddings,
  ...fills,
  ...diagonals,
  ...blocks,
];
