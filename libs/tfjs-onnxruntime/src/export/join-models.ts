/**
 * Several exported models as one that takes all of their inputs, without a copy of their weights: its large constants stay in
 * the files of the parts, which it names as external data (ONNX, "External Data") with the place of each. It has to lie
 * beside them, and is of these very files.
 */
import { ModelProto } from '../onnx/descriptor.js';
import {
  tensorMessage,
  valueInfo,
  type GraphMessage,
  type ModelMessage,
  type NodeMessage,
  type TensorMessage,
} from '../onnx/types.js';

/** A model of {@link exportOnnx}. */
export interface ModelPart {
  /** The content of the file. */
  model: Uint8Array;
  /** Its name, in the folder in which the joint model will lie. */
  file: string;
  /** Before the names of its values and free sizes, but for its inputs and `keep`. */
  prefix: string;
  /** Outputs that keep their name. */
  keep: readonly string[];
}

/** What is computed from the outputs that the parts keep. */
export interface JointGraph {
  /** Numbers by name. */
  constants: Readonly<Record<string, number>>;
  nodes: readonly { op: string; inputs: string[]; output: string }[];
  /** Of the joint model, in their order: float32, with names for free sizes. */
  outputs: Readonly<Record<string, readonly (number | string)[]>>;
}

/** Constants of fewer bytes are copied. */
const LARGE = 1024;

/** @returns the bytes of the .onnx file */
export function joinModels(
  parts: readonly ModelPart[],
  { constants, nodes, outputs }: JointGraph,
): Uint8Array {
  const models = parts.map(readPart);
  const graphs = models.map(({ graph }) => graph);
  const scalars = Object.entries(constants).map(([name, value]) =>
    tensorMessage(name, 'float32', [], Float32Array.of(value)),
  );
  const graph: GraphMessage = {
    name: 'graph',
    node: [
      ...graphs.flatMap(({ node }) => node),
      ...nodes.map(({ op, inputs, output }) => ({
        name: output,
        opType: op,
        input: inputs,
        output: [output],
      })),
    ],
    initializer: [...graphs.flatMap(({ initializer }) => initializer), ...scalars],
    input: graphs.flatMap(({ input }) => input),
    output: Object.entries(outputs).map(([name, shape]) => valueInfo(name, 'float32', shape)),
  };
  return ModelProto.encode(ModelProto.fromObject({ ...models[0]!, graph })).finish();
}

/** The model under its new names, its large constants as places in its file. */
function readPart({ model, file, prefix, keep }: ModelPart): ModelMessage {
  // Decoded bytes are views of these, so that their place in the file can be told.
  const bytes = Buffer.from(model.buffer, model.byteOffset, model.byteLength);
  const message = ModelProto.decode(bytes) as unknown as ModelMessage;
  const kept = new Set([...message.graph.input.map(({ name }) => name), ...keep]);
  const rename = (name: string) => (name === '' || kept.has(name) ? name : `${prefix}${name}`);
  renameGraph(message.graph, rename);
  message.graph.initializer = message.graph.initializer.map((tensor) => placed(tensor, bytes, file));
  for (const { type } of message.graph.input)
    for (const dim of type.tensorType.shape.dim)
      if ('dimParam' in dim && dim.dimParam !== '') dim.dimParam = `${prefix}${dim.dimParam}`;
  return message;
}

function renameGraph(graph: GraphMessage, rename: (name: string) => string): void {
  for (const tensor of graph.initializer) tensor.name = rename(tensor.name!);
  for (const value of [...graph.input, ...graph.output]) value.name = rename(value.name);
  for (const node of graph.node) renameNode(node, rename);
}

function renameNode(node: NodeMessage, rename: (name: string) => string): void {
  node.name = rename(node.name ?? '');
  node.input = node.input.map(rename);
  node.output = node.output.map(rename);
  for (const { g: body } of node.attribute ?? []) if (body) renameGraph(body, rename);
}

function placed({ rawData, ...tensor }: TensorMessage, bytes: Buffer, file: string): TensorMessage {
  if (rawData === undefined || rawData.byteLength < LARGE) return { ...tensor, rawData };
  const place = { location: file, offset: rawData.byteOffset - bytes.byteOffset, length: rawData.byteLength };
  const externalData = Object.entries(place).map(([key, value]) => ({ key, value: `${value}` }));
  return { ...tensor, dataLocation: 1, externalData };
}
