/**
 * Writes an ONNX model file by hand: just enough protocol-buffer encoding
 * (https://protobuf.dev/programming-guides/encoding/) for the messages of onnx.proto that small graphs need.
 */

type Bytes = number[];

const varint = (value: number): Bytes => {
  const bytes: Bytes = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
};
const integer = (field: number, value: number): Bytes => [...varint(field * 8), ...varint(value)];
const block = (field: number, content: Bytes): Bytes => [
  ...varint(field * 8 + 2),
  ...varint(content.length),
  ...content,
];
const text = (field: number, value: string): Bytes => block(field, [...Buffer.from(value)]);

/** onnx.TensorProto.DataType */
export const FLOAT = 1;
export const FLOAT16 = 10;
export const INT64 = 7;

interface Value {
  name: string;
  type: number;
  /** Numbers are fixed sizes, names are free ones. */
  shape: (number | string)[];
}
interface Constant {
  name: string;
  shape: number[];
  data: Float32Array | BigInt64Array;
}
interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
  /** Integer attributes. */
  attributes?: Record<string, number>;
}

/** The bytes of a model with one graph, opset 17. */
export function onnxFile(graph: {
  inputs: Value[];
  outputs: Value[];
  constants: Constant[];
  nodes: Node[];
}): Buffer {
  const content = [
    ...graph.nodes.flatMap((node) => block(1, encodeNode(node))),
    ...text(2, 'graph'),
    ...graph.constants.flatMap((constant) => block(5, encodeConstant(constant))),
    ...graph.inputs.flatMap((value) => block(11, encodeValue(value))),
    ...graph.outputs.flatMap((value) => block(12, encodeValue(value))),
  ];
  return Buffer.from([...integer(1, 8), ...block(7, content), ...block(8, integer(2, 17))]);
}

function encodeNode({ op, inputs, outputs, attributes = {} }: Node): Bytes {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) =>
      block(5, [...text(1, name), ...integer(3, value), ...integer(20, 2)]),
    ),
  ];
}

function encodeConstant({ name, shape, data }: Constant): Bytes {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return [
    ...shape.flatMap((size) => integer(1, size)),
    ...integer(2, data instanceof Float32Array ? FLOAT : INT64),
    ...text(8, name),
    ...block(9, [...bytes]),
  ];
}

function encodeValue({ name, type, shape }: Value): Bytes {
  const dimensions = shape.flatMap((size) =>
    block(1, typeof size === 'number' ? integer(1, size) : text(2, size)),
  );
  return [...text(1, name), ...block(2, block(1, [...integer(1, type), ...block(2, dimensions)]))];
}
