/**
 * The bytes of an .onnx file. Weights make up nearly all of a model, so they are copied exactly once: everything else is
 * encoded by protobufjs, and large tensors are inserted between its pieces (fields of a protobuf message may come in any
 * order, and nested messages are bytes with their length in front).
 */
import { EngineError } from '../errors.js';
import { GraphProto, ModelProto, TensorProto } from './descriptor.js';
import type { ModelMessage, TensorMessage } from './types.js';

/** Protobuf messages cannot be larger. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;
/** Tensors of at least this many bytes are copied here. */
const LARGE = 16384;

/** Tags of length-delimited fields: number · 8 + 2. */
const MODEL_GRAPH = 0x3a;
const GRAPH_INITIALIZER = 0x2a;
const TENSOR_RAW_DATA = 0x4a;

/** @throws EngineError MODEL_TOO_LARGE beyond 2 GiB */
export function encodeModel(message: ModelMessage): Uint8Array {
  const { graph, ...head } = message;
  const isLarge = ({ rawData }: TensorMessage): boolean => (rawData?.byteLength ?? 0) >= LARGE;
  const small = { ...graph, initializer: graph.initializer.filter((t) => !isLarge(t)) };
  const pieces = [encode(GraphProto, small), ...graph.initializer.filter(isLarge).flatMap(largeTensor)];
  const graphBytes = total(pieces);
  const all = [encode(ModelProto, head), Uint8Array.of(MODEL_GRAPH, ...varint(graphBytes)), ...pieces];
  const bytes = total(all);
  if (bytes > MAX_MODEL_BYTES) {
    throw new EngineError('MODEL_TOO_LARGE', `the model takes ${bytes} bytes; one file holds 2 GiB.`, {
      hint: 'Pass large weights as inputs or state instead of capturing them, or export in half precision.',
    });
  }
  const result = new Uint8Array(bytes);
  let offset = 0;
  for (const piece of all) {
    result.set(piece, offset);
    offset += piece.byteLength;
  }
  return result;
}

function largeTensor({ rawData, ...rest }: TensorMessage): Uint8Array[] {
  const head = encode(TensorProto, rest);
  const raw = Uint8Array.of(TENSOR_RAW_DATA, ...varint(rawData!.byteLength));
  const length = head.byteLength + raw.byteLength + rawData!.byteLength;
  return [Uint8Array.of(GRAPH_INITIALIZER, ...varint(length)), head, raw, rawData!];
}

const encode = (type: typeof ModelProto, message: object): Uint8Array =>
  type.encode(type.fromObject(message)).finish();

const total = (pieces: readonly Uint8Array[]): number => pieces.reduce((n, piece) => n + piece.byteLength, 0);

/** Base-128 number, lowest bits first; up to 2^53. */
function varint(n: number): number[] {
  const bytes: number[] = [];
  while (n >= 0x80) {
    bytes.push((n % 0x80) + 0x80);
    n = Math.floor(n / 0x80);
  }
  return [...bytes, n];
}
