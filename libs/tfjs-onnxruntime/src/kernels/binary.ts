/** Elementwise kernels of two or more operands: arithmetic, comparison, logic, selection. */
import type * as tf from '@tensorflow/tfjs-core';
import { reshape } from '../graph/layout.js';
import {
  add,
  binary,
  cast,
  div,
  equal,
  greater,
  less,
  mul,
  not,
  op,
  sub,
  unary,
  where,
} from '../graph/ops.js';
import { broadcastShapes } from '../graph/shape.js';
import { scalar, type Value } from '../graph/value.js';
import { define, defineList, type KernelDefinition } from './define.js';

type Operands = 'a' | 'b';

/** Arithmetic on bools is arithmetic on 0 and 1; mixed operands take the wider type. */
function arithmetic(a: Value, b: Value): [Value, Value] {
  const type = a.type === 'float32' || b.type === 'float32' ? 'float32' : 'int32';
  return [cast(a, type), cast(b, type)];
}

/** Integer division that gives 0 where it is undefined, as JavaScript's integer arrays do. */
function guarded(b: Value, divide: (divisor: Value) => Value): Value {
  const isZero = equal(b, scalar(0, b.type));
  return where(isZero, scalar(0, 'int32'), divide(where(isZero, scalar(1, b.type), b)));
}

/** Floor of the quotient as int32 for operands of any type, as in TensorFlow.js. */
const floorDiv = (a: Value, b: Value): Value =>
  guarded(b, (divisor) => cast(unary('Floor', div(cast(a, 'float32'), cast(divisor, 'float32'))), 'int32'));

/** Remainder with the sign of the divisor, computed from C's truncated remainder. */
function floorMod(a: Value, b: Value): Value {
  if (a.type === 'int32') return guarded(b, (divisor) => binary('Mod', a, divisor));
  const truncated = (x: Value): Value =>
    op('Mod', [x, b], broadcastShapes(x.shape, b.shape), 'float32', { fmod: 1 });
  const remainder = truncated(a);
  const sameSign = equal(less(a, 0), less(b, 0));
  return where(sameSign, remainder, truncated(add(remainder, b)));
}

/** Integer powers with negative exponents truncate to 0 (or ±1); 0 to a negative power gives 0. */
function power(a: Value, b: Value): Value {
  if (a.type !== 'int32') return binary('Pow', a, b);
  const undefinedPower = binary('And', equal(a, scalar(0, 'int32')), less(b, 0), 'bool');
  return where(undefinedPower, scalar(0, 'int32'), binary('Pow', a, b));
}

/** True for negative numbers and for −0. */
function hasSign(x: Value): Value {
  const negativeZero = binary('And', equal(x, scalar(0)), less(unary('Reciprocal', x), 0), 'bool');
  return binary('Or', less(x, 0), negativeZero, 'bool');
}

/** Angle of the point (x, y) in [−π, π], with C's results for signed zeros and infinities. */
function atan2(y: Value, x: Value): Value {
  const [height, width] = [unary('Abs', y), unary('Abs', x)];
  const larger = binary('Max', height, width);
  const smaller = binary('Min', height, width);
  // In the first octant: the ratio is 0 at the origin and 1 between two infinities.
  const ratio = where(equal(larger, scalar(0)), larger, div(smaller, larger));
  const octant = unary('Atan', where(equal(smaller, scalar(Infinity)), scalar(1), ratio));
  const quadrant = where(greater(height, width), sub(scalar(Math.PI / 2), octant), octant);
  const half = where(hasSign(x), sub(scalar(Math.PI), quadrant), quadrant);
  return where(hasSign(y), unary('Neg', half), half);
}

const ARITHMETIC: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  Add: add,
  Sub: sub,
  Multiply: mul,
  Maximum: (a, b) => binary('Max', a, b),
  Minimum: (a, b) => binary('Min', a, b),
  FloorDiv: floorDiv,
  Mod: floorMod,
  Pow: power,
  SquaredDifference: (a, b) => {
    const difference = sub(a, b);
    return mul(difference, difference);
  },
};

const arithmeticKernels = Object.entries(ARITHMETIC).map(([name, record]) =>
  define<Operands>(name, ({ a, b }) => record(...arithmetic(a, b))),
);

const realKernels: KernelDefinition[] = [
  define<Operands>('RealDiv', ({ a, b }) => div(cast(a, 'float32'), cast(b, 'float32'))),
  define<Operands>('Atan2', ({ a, b }) => atan2(cast(a, 'float32'), cast(b, 'float32'))),
  defineList('AddN', (values) => {
    const wide = values.some((v) => v.type === 'float32') ? 'float32' : 'int32';
    return values.map((v) => cast(v, wide)).reduce((sum, v) => add(sum, v));
  }),
];

const COMPARISONS: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  Equal: equal,
  NotEqual: (a, b) => not(equal(a, b)),
  Greater: greater,
  Less: less,
  GreaterEqual: (a, b) => binary('GreaterOrEqual', a, b, 'bool'),
  LessEqual: (a, b) => binary('LessOrEqual', a, b, 'bool'),
};

const comparisonKernels = Object.entries(COMPARISONS).map(([name, record]) =>
  define<Operands>(name, ({ a, b }) => record(...arithmetic(a, b))),
);

const LOGIC: Readonly<Record<string, string>> = { LogicalAnd: 'And', LogicalOr: 'Or', LogicalXor: 'Xor' };

const logicKernels = Object.entries(LOGIC).map(([name, onnx]) =>
  define<Operands>(name, ({ a, b }) => binary(onnx, cast(a, 'bool'), cast(b, 'bool'), 'bool')),
);

const bitwiseKernels = [define<Operands>('BitwiseAnd', ({ a, b }) => binary('BitwiseAnd', a, b))];

const selection = define<'condition' | 't' | 'e', tf.NamedAttrMap>('Select', ({ condition, t, e }) => {
  const rows = condition.shape.length === 1 && t.shape.length > 1 && condition.shape[0] === t.shape[0];
  const choice = rows
    ? reshape(condition, [condition.shape[0]!, ...t.shape.slice(1).map(() => 1)])
    : condition;
  if (t.type === e.type) return where(cast(choice, 'bool'), t, e);
  const [a, b] = arithmetic(t, e);
  return where(cast(choice, 'bool'), a, b);
});

export const binaryKernels: KernelDefinition[] = [
  ...arithmeticKernels,
  ...realKernels,
  ...comparisonKernels,
  ...logicKernels,
  ...bitwiseKernels,
  selection,
];
