/** Runs an exported model beside the function it came from, on pseudo-random inputs of a size never traced for it. */
import { EngineError } from '../errors.js';
import { order } from '../graph/order.js';
import { allocate, sizeOf, type TypedArray } from '../graph/value.js';
import { threadsFor } from '../graph/work.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage, type ExternalData } from '../onnx/model.js';
import type { Trace } from '../replay/trace.js';
import { OrtSession, type HostArray, type SessionOptions } from '../session/ort.js';
import { threadsOf } from '../session/threads.js';

/**
 * @param options of the backend, for its threads
 * @throws EngineError DYNAMIC_AXIS when an output differs by more than `tolerance` relative to its largest element
 */
export function verifyExport(
  model: Uint8Array,
  reference: Trace,
  tolerance: number,
  options: SessionOptions,
): void {
  const inputs = new Map([...reference.inputs].map(([name, value]) => [value, name]));
  const outputs = [...reference.outputs].map(([name, value]) => ({ name, value }));
  const graph = order(outputs.map((o) => o.value));
  const { message, external } = modelMessage(graph, { inputs, outputs, externalBytes: 65536 });
  const feeds: Record<string, HostArray> = {};
  for (const [value, name] of inputs) {
    const data = allocate(value.type, sizeOf(value.shape));
    // Small integers are valid ids and masks whatever the table they index.
    for (let i = 0; i < data.length; i++) {
      if (data instanceof BigInt64Array) data[i] = BigInt(i % 3 === 0 ? 0 : 1);
      else data[i] = value.type === 'float32' ? Math.sin(i * 0.7) : i % 3 === 0 ? 0 : 1;
    }
    feeds[name] = { type: value.type, shape: value.shape, data };
  }
  const fetches = Object.fromEntries(outputs.map(({ name }) => [name, null]));
  const run = (bytes: Uint8Array, externalData: ExternalData[]): Record<string, TypedArray> => {
    const session = new OrtSession(bytes, {
      externalData,
      ...threadsOf(options),
      ...threadsFor(graph.nodes),
    });
    try {
      return session.run(feeds, fetches);
    } finally {
      session.dispose();
    }
  };
  const expected = run(encodeModel(message), external);
  const found = run(model, []);
  for (const { name } of outputs) {
    const error = relativeError(found[name]!, expected[name]!);
    if (error <= tolerance) continue;
    const sizes = [...inputs].map(([v, n]) => `${n}[${v.shape.join(',')}]`).join(', ');
    throw new EngineError(
      'DYNAMIC_AXIS',
      `the exported model gives another "${name}" than the function for ${sizes}: off by ${error}.`,
    );
  }
}

function relativeError(found: TypedArray, expected: TypedArray): number {
  if (found.length !== expected.length) return Infinity;
  let largest = 1e-6;
  let worst = 0;
  for (let i = 0; i < found.length; i++) {
    const e = Number(expected[i]);
    const difference = Math.abs(Number(found[i]) - e);
    if (Number.isFinite(e)) largest = Math.max(largest, Math.abs(e));
    if (Number.isFinite(e) || Number.isFinite(Number(found[i]))) worst = Math.max(worst, difference);
  }
  return worst / largest;
}
