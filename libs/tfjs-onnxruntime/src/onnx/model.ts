/**
 * Writes an ordered graph as an ONNX model (opset 20, IR 9): the one place where values get names.
 */
import { EngineError } from '../errors.js';
import type { OrderedGraph } from '../graph/order.js';
import type { AttributeValue, GraphNode, Value } from '../graph/value.js';
import { ModelProto } from './descriptor.js';
import {
  tensorMessage,
  valueInfo,
  type AttributeMessage,
  type ModelMessage,
  type NodeMessage,
} from './types.js';

export const OPSET = 20;
export const IR_VERSION = 9;
/** Protobuf messages cannot be larger. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

export interface ModelOptions {
  /** Names of the leaves that become inputs of the model; every other leaf becomes an initializer. */
  inputs: ReadonlyMap<Value, string>;
  /** What the model returns, under these names. */
  outputs: readonly { name: string; value: Value }[];
  /** Write ops of the ONNX domain only, so that any runtime can load the model. */
  portable?: boolean;
}

/** The message before encoding, and the names its values got. */
export function modelMessage(
  graph: OrderedGraph,
  options: ModelOptions,
): { message: ModelMessage; names: ReadonlyMap<Value, string> } {
  const names = new Map<Value, string>();
  const outputNames = new Map<Value, string>();
  for (const { name, value } of options.outputs) if (!outputNames.has(value)) outputNames.set(value, name);
  const initializer: ModelMessage['graph']['initializer'] = [];
  const input: ModelMessage['graph']['input'] = [];
  for (const leaf of graph.leaves) {
    const name = options.inputs.get(leaf);
    if (name !== undefined) {
      names.set(leaf, name);
      input.push(valueInfo(name, leaf.type, leaf.shape));
    } else if (leaf.data !== undefined) {
      const constantName = `c${initializer.length}`;
      names.set(leaf, constantName);
      initializer.push(tensorMessage(constantName, leaf.type, leaf.shape, leaf.data));
    } else {
      throw new EngineError('BAD_STATE', `the graph reads the input "${leaf.placeholder}" of another trace.`);
    }
  }
  // Inputs that nothing reads stay part of the signature.
  for (const [leaf, name] of options.inputs) {
    if (!names.has(leaf)) {
      names.set(leaf, name);
      input.push(valueInfo(name, leaf.type, leaf.shape));
    }
  }
  const nodes: NodeMessage[] = [];
  graph.nodes.forEach((node, i) => {
    node.outputs.forEach((value, k) => {
      names.set(value, outputNames.get(value) ?? (k === 0 ? `v${i}` : `v${i}_${k}`));
    });
    writeNode(nodes, node, `${node.kernel ?? node.op}_${i}`, names, options.portable ?? false);
  });
  const output = options.outputs.map(({ name, value }) => {
    // A value that is an input or a constant, or is returned twice, needs a node of its own to carry the name.
    if (names.get(value) !== name) {
      nodes.push({ opType: 'Identity', name: `output_${name}`, input: [names.get(value)!], output: [name] });
    }
    return valueInfo(name, value.type, value.shape);
  });
  const opsetImport = [{ domain: '', version: OPSET }];
  if (nodes.some((n) => n.domain === 'com.microsoft'))
    opsetImport.push({ domain: 'com.microsoft', version: 1 });
  const message: ModelMessage = {
    irVersion: IR_VERSION,
    producerName: 'tfjs-onnxruntime',
    producerVersion: '0.1.0',
    opsetImport,
    graph: { name: 'graph', node: nodes, initializer, input, output },
  };
  return { message, names };
}

/** The bytes of the .onnx file. */
export function encodeModel(message: ModelMessage): Uint8Array {
  const bytes = message.graph.initializer.reduce((n, t) => n + t.rawData.byteLength, 0);
  if (bytes > MAX_MODEL_BYTES) {
    throw new EngineError(
      'MODEL_TOO_LARGE',
      `the constants of the graph take ${bytes} bytes; one model file holds 2 GiB.`,
      {
        hint: 'Pass large weights as inputs or state instead of capturing them.',
      },
    );
  }
  return ModelProto.encode(ModelProto.fromObject(message)).finish();
}

function writeNode(
  nodes: NodeMessage[],
  node: GraphNode,
  name: string,
  names: ReadonlyMap<Value, string>,
  portable: boolean,
): void {
  const input = node.inputs.map((value) => (value === undefined ? '' : names.get(value)!));
  const output = node.outputs.map((value) => names.get(value)!);
  if (portable && node.domain === 'com.microsoft') {
    if (node.op !== 'FusedMatMul') {
      throw new EngineError('UNSUPPORTED_KERNEL', `${node.op} has no portable form.`, {
        kernel: node.kernel,
      });
    }
    writePortableMatMul(nodes, node, name, input, output);
    return;
  }
  const attribute = Object.entries(node.attributes).map(([key, value]) => attributeMessage(key, value));
  nodes.push({ name, opType: node.op, domain: node.domain, input, output, attribute });
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
function attributeMessage(name: string, value: AttributeValue): AttributeMessage {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: Buffer.from(value) };
  if (Array.isArray(value)) return { name, type: 7, ints: value as readonly number[] };
  if ('float' in value) return { name, type: 1, f: value.float };
  const tensor = value as Value;
  return { name, type: 4, t: tensorMessage('', tensor.type, tensor.shape, tensor.data!) };
}
