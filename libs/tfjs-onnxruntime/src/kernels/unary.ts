/** Elementwise kernels of one operand. */
import type * as tf from '@tensorflow/tfjs-core';
import {
  add,
  binary,
  cast,
  equal,
  exp,
  greater,
  less,
  mul,
  neg,
  not,
  op,
  sqrt,
  sub,
  unary,
  where,
} from '../graph/ops.js';
import { scalar, type ElementType, type Value } from '../graph/value.js';
import { define, defineRaw, type KernelDefinition } from './define.js';

const float = (x: Value): Value => cast(x, 'float32');

/** TensorFlow.js name → ONNX op, for functions that are defined on real numbers only. */
const REAL_FUNCTIONS: Readonly<Record<string, string>> = {
  Acos: 'Acos',
  Acosh: 'Acosh',
  Asin: 'Asin',
  Asinh: 'Asinh',
  Atan: 'Atan',
  Atanh: 'Atanh',
  Cos: 'Cos',
  Cosh: 'Cosh',
  Erf: 'Erf',
  Exp: 'Exp',
  Log: 'Log',
  Selu: 'Selu',
  Elu: 'Elu',
  Sigmoid: 'Sigmoid',
  Sin: 'Sin',
  Sinh: 'Sinh',
  Softplus: 'Softplus',
  Sqrt: 'Sqrt',
  Tan: 'Tan',
  Tanh: 'Tanh',
};

/** Integers are returned unchanged. */
const roundings = ['Ceil', 'Floor', 'Round'].map((name) =>
  define<'x'>(name, ({ x }) => (x.type === 'float32' ? unary(name, x) : x)),
);

const clip = (x: Value, low: number, high: number): Value =>
  op('Clip', [x, scalar(low, x.type), scalar(high, x.type)], x.shape, x.type);

const numeric = (x: Value): Value => (x.type === 'bool' ? cast(x, 'int32') : x);

/** Functions that need a conversion of types, an attribute, or several ONNX ops. */
const composed: KernelDefinition[] = [
  define<'x'>('Abs', ({ x }) => unary('Abs', numeric(x))),
  define<'x'>('Neg', ({ x }) => neg(numeric(x))),
  define<'x'>('Sign', ({ x }) => sign(numeric(x))),
  define<'x'>('Square', ({ x }) => mul(numeric(x), numeric(x))),
  define<'x'>('Rsqrt', ({ x }) => unary('Reciprocal', sqrt(float(x)))),
  define<'x'>('Reciprocal', ({ x }) => unary('Reciprocal', float(x))),
  define<'x'>('Expm1', ({ x }) => expm1(float(x))),
  define<'x'>('Log1p', ({ x }) => unary('Log', add(float(x), 1))),
  define<'x'>('Relu', ({ x }) =>
    x.type === 'float32' ? unary('Relu', x) : binary('Max', numeric(x), scalar(0, 'int32')),
  ),
  define<'x'>('Relu6', ({ x }) => clip(numeric(x), 0, 6)),
  define<'x', tf.LeakyReluAttrs>('LeakyRelu', ({ x }, { alpha }) =>
    unary('LeakyRelu', float(x), 'float32', { alpha: { float: alpha } }),
  ),
  define<'x' | 'alpha'>('Prelu', ({ x, alpha }) => {
    const value = float(x);
    return where(less(value, 0), mul(value, float(alpha)), value);
  }),
  define<'x', { alpha?: number }>('Step', ({ x }, { alpha = 0 }) => {
    if (x.type !== 'float32')
      return where(greater(numeric(x), 0), scalar(1, 'int32'), scalar(alpha, 'int32'));
    return where(unary('IsNaN', x, 'bool'), x, where(greater(x, 0), scalar(1), scalar(alpha)));
  }),
  define<'x', tf.ClipByValueAttrs>('ClipByValue', ({ x }, { clipValueMin, clipValueMax }) =>
    clip(numeric(x), clipValueMin, clipValueMax),
  ),
  /** d elu(x) = dy where y ≥ 0, else dy·(y+1). */
  define<'dy' | 'y'>('EluGrad', ({ dy, y }) => where(less(y, 0), mul(dy, add(y, 1)), dy)),
];

const isFinite = (x: Value): Value => equal(sub(x, x), scalar(0));

const predicates: KernelDefinition[] = [
  define<'x'>('LogicalNot', ({ x }) => not(cast(x, 'bool'))),
  define<'x'>('IsNan', ({ x }) => unary('IsNaN', float(x), 'bool')),
  define<'x'>('IsInf', ({ x }) => unary('IsInf', float(x), 'bool')),
  define<'x'>('IsFinite', ({ x }) => isFinite(float(x))),
];

const casts: KernelDefinition[] = [
  define<'x', { dtype: tf.DataType }>('Cast', ({ x }, { dtype }) => {
    if (dtype === 'bool' && x.type !== 'bool') return not(equal(x, scalar(0, x.type)));
    // NaN and infinities become 0, as in JavaScript; in C++ the result is undefined.
    const mayBeNonFinite = dtype === 'int32' && x.type === 'float32' && x.uniform === undefined;
    const finite = mayBeNonFinite ? where(isFinite(x), x, scalar(0)) : x;
    return cast(finite, dtype as ElementType);
  }),
  // The same buffer under another tensor: clones cost nothing and are not counted as memory.
  defineRaw('Identity', ({ x }, _attrs, backend) => {
    backend.incRef(x!.dataId);
    return { dataId: x!.dataId, shape: x!.shape, dtype: x!.dtype };
  }),
];

/** 1, 0 or −1; 0 for NaN, where ONNX's Sign gives NaN. */
function sign(x: Value): Value {
  if (x.type !== 'float32') return unary('Sign', x);
  return sub(cast(greater(x, 0), 'float32'), cast(less(x, 0), 'float32'));
}

/** exp(x) − 1 without cancellation: tanh(x/2)·(exp(x)+1), an exact identity. */
function expm1(x: Value): Value {
  const small = mul(unary('Tanh', mul(x, 0.5)), add(exp(x), 1));
  return where(less(unary('Abs', x), 0.5), small, sub(exp(x), 1));
}

export const unaryKernels: KernelDefinition[] = [
  ...Object.entries(REAL_FUNCTIONS).map(([name, onnx]) =>
    define<'x'>(name, ({ x }) => unary(onnx, float(x))),
  ),
  ...roundings,
  ...composed,
  ...predicates,
  ...casts,
];
