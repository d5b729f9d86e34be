/**
 * Writes an ordered graph as an ONNX model (opset 20, IR 9): the one place where values get names.
 */
import { EngineError } from '../errors.js';
import { order, type OrderedGraph } from '../graph/order.js';
import type { AttributeValue, GraphNode, Subgraph, Value } from '../graph/value.js';
import {
  tensorMessage,
  valueInfo,
  type AttributeMessage,
  type GraphMessage,
  type ModelMessage,
  type NodeMessage,
  type TensorMessage,
} from './types.js';

const OPSET = 20;
const IR_VERSION = 9;

export interface ModelOptions {
  /** Names of the leaves that become inputs of the model; every other leaf becomes an initializer. */
  inputs: ReadonlyMap<Value, string>;
  /** What the model returns, under these names. */
  outputs: readonly { name: string; value: Value }[];
  /** Constants of at least this many bytes stay outside the model, in `external` of the result. Default: none. */
  externalBytes?: number;
  /** Write ops of the ONNX domain only, so that any runtime can load the model. */
  portable?: boolean;
}

/** The message before encoding, and the names its values got. */
export function modelMessage(
  graph: OrderedGraph,
  options: ModelOptions,
): { message: ModelMessage; names: ReadonlyMap<Value, string>; external: ExternalData[] } {
  const external: ExternalData[] = [];
  const { message, names, domains } = graphMessage(graph, options, '', external);
  return { message: modelOf(message, domains), names, external };
}

/** A graph with the versions that this library writes. */
export function modelOf(graph: GraphMessage, domains: ReadonlySet<string> = new Set()): ModelMessage {
  const opsetImport = [{ domain: '', version: OPSET }];
  for (const domain of domains) opsetImport.push({ domain, version: 1 });
  return {
    irVersion: IR_VERSION,
    producerName: 'tfjs-onnxruntime',
    producerVersion: '0.1.0',
    opsetImport,
    graph,
  };
}

/** Contents of a constant that the model only refers to, as session options take them. */
export interface ExternalData {
  path: string;
  data: Uint8Array;
}

/** @param prefix goes before every name but those of inputs and outputs: a body must not reuse names of the outer graph */
function graphMessage(graph: OrderedGraph, options: ModelOptions, prefix: string, external: ExternalData[]) {
  const names = new Map<Value, string>(options.inputs);
  const input = [...options.inputs].map(([value, name]) => valueInfo(name, value.type, value.shape));
  const outputNames = new Map<Value, string>();
  for (const { name, value } of options.outputs) if (!outputNames.has(value)) outputNames.set(value, name);
  const initializer: GraphMessage['initializer'] = [];
  for (const leaf of graph.leaves) {
    if (names.has(leaf)) continue;
    if (leaf.data === undefined) {
      throw new EngineError('BAD_STATE', `the graph reads the input "${leaf.placeholder}" of another trace.`);
    }
    const name = `${prefix}c${initializer.length}`;
    names.set(leaf, name);
    const tensor = tensorMessage(name, leaf.type, leaf.shape, leaf.data);
    initializer.push(
      leaf.data.byteLength < (options.externalBytes ?? Infinity) ? tensor : outside(tensor, external),
    );
  }
  const writer: Writer = { nodes: [], names, portable: options.portable ?? false, domains: new Set() };
  graph.nodes.forEach((node, i) => {
    node.outputs.forEach((value, k) => {
      const own = k === 0 ? `${prefix}v${i}` : `${prefix}v${i}_${k}`;
      names.set(value, outputNames.get(value) ?? own);
    });
    writeNode(writer, node, `${prefix}${node.kernel ?? node.op}_${i}`);
  });
  const output = options.outputs.map(({ name, value }) => {
    // A value that is an input or a constant, or is returned twice, needs an Identity node for the name.
    if (names.get(value) !== name) {
      const identity = {
        opType: 'Identity',
        name: `output_${name}`,
        input: [names.get(value)!],
        output: [name],
      };
      writer.nodes.push(identity);
    }
    return valueInfo(name, value.type, value.shape);
  });
  const message: GraphMessage = { name: `${prefix}graph`, node: writer.nodes, initializer, input, output };
  return { message, names, domains: writer.domains };
}

function outside(tensor: TensorMessage, external: ExternalData[]): TensorMessage {
  const { rawData, ...rest } = tensor;
  external.push({ path: tensor.name!, data: rawData! });
  return { ...rest, dataLocation: 1, externalData: [{ key: 'location', value: tensor.name! }] };
}

interface Writer {
  nodes: NodeMessage[];
  names: Map<Value, string>;
  portable: boolean;
  /** Domains of the ops, but for ONNX's own. */
  domains: Set<string>;
}

function writeNode(writer: Writer, node: GraphNode, name: string): void {
  const { nodes, names } = writer;
  const input = node.inputs.map((value) => (value === undefined ? '' : names.get(value)!));
  const output = node.outputs.map((value) => names.get(value)!);
  if (node.domain !== '') {
    if (writer.portable) {
      if (node.op !== 'FusedMatMul') {
        throw new EngineError('UNSUPPORTED_KERNEL', `${node.op} has no portable form.`, {
          kernel: node.kernel,
        });
      }
      writePortableMatMul(nodes, node, name, input, output);
      return;
    }
    writer.domains.add(node.domain);
  }
  const attribute = Object.entries(node.attributes).map(([key, value]) =>
    typeof value === 'object' && 'body' in value
      ? { name: key, type: 5, g: bodyMessage(writer, value.body, `${name}/`) }
      : attributeMessage(key, value),
  );
  nodes.push({ name, opType: node.op, domain: node.domain, input, output, attribute });
}

function bodyMessage(writer: Writer, body: Subgraph, prefix: string): GraphMessage {
  const inputs = new Map(body.inputs.map((value, i) => [value, `${prefix}in${i}`]));
  const outputs = body.outputs.map((value, i) => ({ name: `${prefix}out${i}`, value }));
  const { message, domains } = graphMessage(
    order(body.outputs),
    { inputs, outputs, portable: writer.portable },
    prefix,
    [],
  );
  for (const domain of domains) writer.domains.add(domain);
  return message;
}

/** FusedMatMul in ONNX's own ops: transposes, product, factor. */
function writePortableMatMul(
  nodes: NodeMessage[],
  node: GraphNode,
  name: string,
  input: string[],
  output: string[],
): void {
  const operands = (['transA', 'transB'] as const).map((flag, i) => {
    if (node.attributes[flag] !== 1) return input[i]!;
    const rank = node.inputs[i]!.shape.length;
    const perm = Array.from({ length: rank }, (_, d) =>
      d < rank - 2 ? d : d === rank - 2 ? rank - 1 : rank - 2,
    );
    const transposed = `${output[0]}_${flag}`;
    nodes.push({
      name: `${name}_${flag}`,
      opType: 'Transpose',
      input: [input[i]!],
      output: [transposed],
      attribute: [attributeMessage('perm', perm)],
    });
    return transposed;
  });
  const { float: alpha } = node.attributes.alpha as { float: number };
  const product = alpha === 1 ? output[0]! : `${output[0]}_product`;
  nodes.push({ name, opType: 'MatMul', input: operands, output: [product] });
  if (alpha !== 1) {
    const factor = `${output[0]}_alpha`;
    const value = tensorMessage('', 'float32', [], Float32Array.of(alpha));
    nodes.push({
      opType: 'Constant',
      input: [],
      output: [factor],
      attribute: [{ name: 'value', type: 4, t: value }],
    });
    nodes.push({ name: `${name}_scale`, opType: 'Mul', input: [product, factor], output });
  }
}

/** Attribute kinds in ONNX's numbering: FLOAT 1, INT 2, STRING 3, TENSOR 4, INTS 7. */
function attributeMessage(name: string, value: Exclude<AttributeValue, { body: unknown }>): AttributeMessage {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: Buffer.from(value) };
  if (Array.isArray(value)) return { name, type: 7, ints: value as readonly number[] };
  if ('float' in value) return { name, type: 1, f: value.float };
  const tensor = value as Value;
  return { name, type: 4, t: tensorMessage('', tensor.type, tensor.shape, tensor.data!) };
}
