/**
 * The lazy graph: values (tensors that are or will be) and the ONNX nodes that produce them.
 * A value is in one of three states: it has data (materialised or constant), it is a placeholder
 * (an input of a trace), or it has a producer (pending).
 */

/** Element types that occur inside a graph; TensorFlow.js itself sees the first three. */
export type ElementType = 'float32' | 'int32' | 'bool' | 'int64' | 'float16';
/** Element types in ONNX's numbering (TensorProto.DataType). */
export const ONNX_ELEMENT: Readonly<Record<ElementType, number>> = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

export type TypedArray = Float32Array | Int32Array | Uint8Array | BigInt64Array | Uint16Array;
export type AttributeValue =
  number | string | readonly number[] | { readonly float: number } | { readonly body: Subgraph } | Value;

/** The body of a Scan: a graph of its own, from placeholders to outputs. */
export interface Subgraph {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export interface Value {
  readonly id: number;
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** Contents, when known. They never change. */
  data?: TypedArray;
  /** A small constant of the graph itself (axes, shapes, scalars): its contents are part of the structure. */
  readonly inline?: boolean;
  /** Name of a trace's input. */
  readonly placeholder?: string;
  /** The node that computes it, until it has been run. */
  producer?: GraphNode;
  /** Every element is this number (filled tensors): identities such as x·1 are then not recorded. */
  readonly uniform?: number;
  /** Values computed beside this one that its gradient uses; they are materialised together with it. */
  companions?: Readonly<Record<string, Value>>;
}

export interface GraphNode {
  readonly op: string;
  /** '' is the ONNX domain, 'com.microsoft' ONNX Runtime's own ops, 'ort.native' those of the native addon. */
  readonly domain: '' | 'com.microsoft' | 'ort.native';
  /** undefined: an optional input that is left out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly outputs: readonly Value[];
  /** The TensorFlow.js kernel that recorded it. */
  kernel?: string;
}

let lastId = 0;
/** Ids grow with time, so the difference of two of them bounds the number of values recorded in between. */
export const latestValueId = (): number => lastId;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export function allocate(type: ElementType, length: number): TypedArray {
  switch (type) {
    case 'float32':
      return new Float32Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'bool':
      return new Uint8Array(length);
    case 'int64':
      return new BigInt64Array(length);
    case 'float16':
      return new Uint16Array(length);
  }
}

export function materialised(
  type: ElementType,
  shape: readonly number[],
  data: TypedArray,
  uniform?: number,
): Value {
  return { id: ++lastId, type, shape, data, uniform };
}

export function placeholder(name: string, type: ElementType, shape: readonly number[]): Value {
  return { id: ++lastId, type, shape, placeholder: name };
}

/** A constant whose contents belong to the graph's structure. Keep it small. */
export function constant(type: ElementType, shape: readonly number[], numbers: readonly number[]): Value {
  const data = allocate(type, numbers.length);
  if (data instanceof BigInt64Array) numbers.forEach((n, i) => (data[i] = BigInt(n)));
  else numbers.forEach((n, i) => (data[i] = n));
  return {
    id: ++lastId,
    type,
    shape,
    data,
    inline: true,
    uniform: numbers.length === 1 ? numbers[0] : undefined,
  };
}

/** The same known contents under another shape of the same size. */
export const withShape = (value: Value, shape: readonly number[]): Value => ({
  id: ++lastId,
  type: value.type,
  shape,
  data: value.data,
  inline: value.inline,
  uniform: value.uniform,
});

export const scalar = (value: number, type: ElementType = 'float32'): Value => constant(type, [], [value]);
/** A vector of int64: the form in which ONNX takes shapes, axes, starts, … */
export const int64s = (numbers: readonly number[]): Value => constant('int64', [numbers.length], numbers);

export interface OutputSpec {
  type: ElementType;
  shape: readonly number[];
  uniform?: number;
}

/** Records a node. Values without elements are materialised at once, so no empty tensor is ever computed. */
export function node(
  op: string,
  inputs: readonly (Value | undefined)[],
  attributes: Readonly<Record<string, AttributeValue>>,
  outputs: readonly OutputSpec[],
  domain: GraphNode['domain'] = '',
): Value[] {
  const values: Value[] = outputs.map(({ type, shape, uniform }) => ({ id: ++lastId, type, shape, uniform }));
  const recorded: GraphNode = { op, domain, inputs, attributes, outputs: values };
  for (const value of values) {
    if (sizeOf(value.shape) === 0) value.data = allocate(value.type, 0);
    else value.producer = recorded;
  }
  return values;
}
