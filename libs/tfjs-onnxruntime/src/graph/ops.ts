/**
 * Elementwise ops, and with layout.ts, products.ts and reductions.ts the vocabulary that kernels are written in:
 * functions from values to values that record ONNX nodes (opset 20), infer the shapes, and record nothing where an
 * identity holds.
 */
import { broadcastShapes, sameShape, sizeOf } from './shape.js';
import {
  ONNX_ELEMENT,
  constant,
  node,
  scalar,
  type AttributeValue,
  type ElementType,
  type GraphNode,
  type Value,
} from './value.js';

type Attributes = Readonly<Record<string, AttributeValue>>;

/** A node with one output. */
export function op(
  name: string,
  inputs: readonly (Value | undefined)[],
  shape: readonly number[],
  type: ElementType,
  attributes: Attributes = {},
  domain: GraphNode['domain'] = '',
): Value {
  return node(name, inputs, attributes, [{ type, shape }], domain)[0]!;
}

export const unary = (
  name: string,
  x: Value,
  type: ElementType = x.type,
  attributes: Attributes = {},
): Value => op(name, [x], x.shape, type, attributes);

/**
 * A tensor of one number as that number, where the result has its shape without it: then neither a step nor ONNX
 * Runtime's constant folding fills memory with it.
 */
function asNumber(x: Value, ...others: readonly (readonly number[])[]): Value {
  if (x.uniform === undefined || sizeOf(x.shape) <= 1) return x;
  const shape = broadcastShapes(...others);
  return sameShape(broadcastShapes(x.shape, shape), shape) ? scalar(x.uniform, x.type) : x;
}

export function binary(name: string, a: Value, b: Value, type: ElementType = a.type): Value {
  const y = asNumber(b, a.shape);
  const inputs = [asNumber(a, y.shape), y];
  return op(name, inputs, broadcastShapes(a.shape, b.shape), type);
}

/** A scalar of the element type of `like`. */
const literal = (x: Value | number, like: Value): Value => (typeof x === 'number' ? scalar(x, like.type) : x);

/** When `x` equals the neutral element everywhere and does not widen the shape, the other operand is the result. */
function neutral(x: Value, uniform: number, other: Value): boolean {
  return x.uniform === uniform && sameShape(broadcastShapes(x.shape, other.shape), other.shape);
}

export function add(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  if (neutral(y, 0, a)) return a;
  return neutral(a, 0, y) ? y : binary('Add', a, y);
}
export function sub(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  return neutral(y, 0, a) ? a : binary('Sub', a, y);
}
export function mul(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  if (neutral(y, 1, a)) return a;
  return neutral(a, 1, y) ? y : binary('Mul', a, y);
}
export function div(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  return neutral(y, 1, a) && a.type === 'float32' ? a : binary('Div', a, y);
}
export const neg = (x: Value): Value => unary('Neg', x);
export const sqrt = (x: Value): Value => unary('Sqrt', x);
export const exp = (x: Value): Value => unary('Exp', x);
export const not = (x: Value): Value => unary('Not', x);
export const equal = (a: Value, b: Value): Value => binary('Equal', a, b, 'bool');
export const greater = (a: Value, b: Value | number): Value => binary('Greater', a, literal(b, a), 'bool');
export const less = (a: Value, b: Value | number): Value => binary('Less', a, literal(b, a), 'bool');

export function cast(x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  if (x.uniform !== undefined && x.inline && sizeOf(x.shape) === 1) {
    const n =
      type === 'float32' ? x.uniform : type === 'bool' ? Number(x.uniform !== 0) : Math.trunc(x.uniform);
    return constant(type, x.shape, [n]);
  }
  return unary('Cast', x, type, { to: ONNX_ELEMENT[type] });
}

export function where(condition: Value, a: Value, b: Value): Value {
  if (a.type === 'bool') {
    // ONNX Runtime has no Where for bools.
    return binary(
      'Or',
      binary('And', condition, a, 'bool'),
      binary('And', not(condition), b, 'bool'),
      'bool',
    );
  }
  const y = asNumber(b, condition.shape, a.shape);
  const x = asNumber(a, condition.shape, y.shape);
  return op('Where', [condition, x, y], broadcastShapes(condition.shape, a.shape, b.shape), a.type);
}
