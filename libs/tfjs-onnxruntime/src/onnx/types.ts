/** Plain message types of the schema in descriptor.ts, and the small messages that values become. */
import { ONNX_ELEMENT, type ElementType, type TypedArray } from '../graph/value.js';

export interface TensorMessage {
  name?: string;
  dims: readonly number[];
  dataType: number;
  rawData?: Uint8Array;
  /** Where the contents are when they are not in the model: an entry `location`. */
  externalData?: { key: string; value: string }[];
  /** 1: external. */
  dataLocation?: number;
}
export interface AttributeMessage {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: TensorMessage;
  g?: GraphMessage;
  ints?: readonly number[];
}
export interface NodeMessage {
  name?: string;
  opType: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute?: AttributeMessage[];
}
export interface ValueInfoMessage {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: ({ dimValue: number } | { dimParam: string })[] } } };
}
export interface GraphMessage {
  name: string;
  node: NodeMessage[];
  initializer: TensorMessage[];
  input: ValueInfoMessage[];
  output: ValueInfoMessage[];
}
export interface ModelMessage {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  opsetImport: { domain: string; version: number }[];
  metadataProps?: { key: string; value: string }[];
  graph: GraphMessage;
}

const bytesOf = (data: TypedArray): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A named input or output; a string among the dimensions is a symbolic one. */
export function valueInfo(
  name: string,
  type: ElementType,
  shape: readonly (number | string)[],
): ValueInfoMessage {
  const dim = shape.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d }));
  return { name, type: { tensorType: { elemType: ONNX_ELEMENT[type], shape: { dim } } } };
}

export const tensorMessage = (
  name: string,
  type: ElementType,
  dims: readonly number[],
  data: TypedArray,
): TensorMessage => ({ name, dims, dataType: ONNX_ELEMENT[type], rawData: bytesOf(data) });
