/** Elementwise kernels of two or more operands: arithmetic, comparison, logic, selection. */
import type * as tf from '@tensorflow/tfjs-core';
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
  reshape,
  sub,
  unary,
  where,
} from '../graph/ops.js';
import { scalar, type Value } from '../graph/value.js';
import { define, defineList, type KernelDefinition } from './define.js';

type Operands = 'a' | 'b';

/** Arithmetic on bools is arithmetic on 0 and 1; mixed operands take the wider type. */
function arithmetic(a: Value, b: Value): [Value, Value] {
  const type = a.type === 'float32' || b.type === 'float32' ? 'float32' : 'int32';
  return [cast(a, type), cast(b, type)];
}

/** Floor of the quotient, for both number types; ONNX integer division truncates. */
function floorDiv(a: Value, b: Value): Value {
  const quotient = unary('Floor', div(cast(a, 'float32'), cast(b, 'float32')));
  return cast(quotient, a.type);
}

/** Remainder with the sign of the divisor. */
function floorMod(a: Value, b: Value): Value {
  if (a.type === 'int32') return binary('Mod', a, b);
  return sub(a, mul(b, floorDiv(a, b)));
}

/** Angle of the point (x, y) in (−π, π]. */
function atan2(y: Value, x: Value): Value {
  const zero = scalar(0);
  const principal = unary('Atan', div(y, x));
  const turned = add(principal, where(less(y, 0), scalar(-Math.PI), scalar(Math.PI)));
  const sided = where(less(x, 0), turned, principal);
  return where(binary('And', equal(x, zero), equal(y, zero), 'bool'), zero, sided);
}

const ARITHMETIC: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  Add: add,
  Sub: sub,
  Multiply: mul,
  Maximum: (a, b) => binary('Max', a, b),
  Minimum: (a, b) => binary('Min', a, b),
  FloorDiv: floorDiv,
  Mod: floorMod,
  Pow: (a, b) => binary('Pow', a, b),
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
