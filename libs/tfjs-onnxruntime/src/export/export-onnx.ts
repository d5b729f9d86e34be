/**
 * Writes a traced function as a self-contained ONNX model (opset 20, ops of the ONNX domain only) with named inputs
 * and outputs and dynamic axes.
 *
 * A trace knows concrete sizes only, so the function is traced at every corner of a small box of sizes: integer
 * constants that differ between the corners are interpolated as polynomials of the axis sizes and computed from the
 * shapes of the inputs at run time. The result is then run at a size that was never traced and compared with the
 * function itself.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import type { Value } from '../graph/value.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage } from '../onnx/model.js';
import { valueInfo, type ModelMessage } from '../onnx/types.js';
import type { TensorSignature } from '../replay/host-tensor.js';
import { currentBackend, trace, type Trace } from '../replay/trace.js';
import { align } from './align.js';
import { halveWeights } from './half-weights.js';
import { describe, interpolate, isConstant, type Polynomial } from './polynomial.js';
import { ShapeNodes, type AxisSource } from './shape-nodes.js';
import { verifyExport } from './verify.js';

/** The inputs of an exported function, and what is done with it. */
export interface ExportSpec {
  /** A string among the dimensions names a dynamic axis; the same name is the same size everywhere. */
  inputs: Readonly<
    Record<string, { shape: readonly (number | string)[]; dtype: 'float32' | 'int32' | 'int64' }>
  >;
  /** The largest sizes of axes that have one, by name: no larger ones are traced. */
  limits?: Readonly<Record<string, number | undefined>>;
  /** Key-value pairs stored in the model. */
  metadata?: Readonly<Record<string, string>>;
  /** 'fp16' stores large weights in half precision; the arithmetic stays float32. Default 'fp32'. */
  precision?: 'fp32' | 'fp16';
}

/** Two sizes of an axis to trace, and a third to verify. */
interface AxisSizes {
  low: number;
  high: number;
  unseen: number;
}

/**
 * Different sizes for each axis, so that no axis is mistaken for another. The limit itself is traced only where there
 * is no room below it: slicing a whole table records no op, so the graph would differ.
 * @param limit largest size of the axis
 */
function sizesToTrace(axis: number, limit: number): AxisSizes {
  const high = Math.min(3 + 5 * axis, limit > LEAST_LIMIT ? limit - 1 : limit);
  const low = Math.min(2 + 3 * axis, high - 1);
  let unseen = Math.min(1 + 11 * axis, limit);
  while (unseen === high || unseen === low) unseen--;
  return { low, high, unseen };
}

/** An axis needs three sizes. */
const LEAST_LIMIT = 3;

/** More axes than this would need more than eight traces. */
const MAX_AXES = 3;

/**
 * @returns the bytes of the .onnx file
 * @throws EngineError DYNAMIC_AXIS when the function cannot be expressed for every size of its dynamic axes
 */
export async function exportOnnx(
  fn: (inputs: tf.NamedTensorMap) => tf.NamedTensorMap,
  spec: ExportSpec,
): Promise<Uint8Array> {
  const axes = findAxes(spec);
  const sizes = axes.map(({ name }, k) => sizesToTrace(k, limitOf(spec, name)));
  const low = sizes.map((axis) => axis.low);
  const high = sizes.map((axis) => axis.high);
  const traceAt = (at: readonly number[]): Trace =>
    trace({ name: 'exportOnnx', native: false }, signaturesAt(spec, axes, at), fn);
  const corners = Array.from({ length: 1 << axes.length }, (_, corner) =>
    traceAt(axes.map((__, k) => (corner & (1 << k) ? high[k]! : low[k]!))),
  );
  const { graphs, varying } = align(corners);
  const first = corners[0]!;
  const inputs = new Map([...first.inputs].map(([name, value]) => [value, name]));
  const outputs = [...first.outputs].map(([name, value]) => ({ name, value }));
  const { message, names } = modelMessage(graphs[0]!, { inputs, outputs, portable: true });

  makeDynamic(message, names, varying, axes, low, high);
  const axisNames = axes.map((axis) => axis.name);
  message.graph.input = Object.entries(spec.inputs).map(([name, { dtype, shape }]) =>
    valueInfo(name, dtype, shape),
  );
  message.graph.output = outputs.map(({ name, value }, i) => {
    const shape = value.shape.map((_, d) => {
      const sizes = corners.map((corner) => [...corner.outputs.values()][i]!.shape[d]!);
      const p = interpolate(sizes, low, high);
      return isConstant(p) ? p[0]! : describe(p, axisNames);
    });
    return valueInfo(name, value.type, shape);
  });
  if (spec.precision === 'fp16') halveWeights(message);
  message.metadataProps = Object.entries(spec.metadata ?? {}).map(([key, value]) => ({ key, value }));
  const model = encodeModel(message);
  const unseen = traceAt(sizes.map((axis) => axis.unseen));
  const tolerance = spec.precision === 'fp16' ? 2e-2 : 1e-3;
  verifyExport(model, unseen, tolerance, currentBackend().runner.sessionOptions);
  return model;
}

function findAxes({ inputs }: ExportSpec): AxisSource[] {
  const axes: AxisSource[] = [];
  for (const [input, { shape }] of Object.entries(inputs)) {
    shape.forEach((name, dimension) => {
      if (typeof name === 'string' && !axes.some((axis) => axis.name === name))
        axes.push({ name, input, dimension });
    });
  }
  if (axes.length > MAX_AXES) {
    throw new EngineError('DYNAMIC_AXIS', `${axes.length} dynamic axes; at most ${MAX_AXES} are supported.`);
  }
  return axes;
}

function limitOf({ limits }: ExportSpec, axis: string): number {
  const limit = limits?.[axis] ?? Infinity;
  if (limit >= LEAST_LIMIT) return limit;
  throw new EngineError(
    'DYNAMIC_AXIS',
    `the axis ${axis} has the limit ${limit}; an axis with fewer than ${LEAST_LIMIT} sizes cannot be dynamic.`,
  );
}

function signaturesAt(
  { inputs }: ExportSpec,
  axes: readonly AxisSource[],
  sizes: readonly number[],
): Record<string, TensorSignature> {
  const size = (d: number | string): number =>
    typeof d === 'number' ? d : sizes[axes.findIndex((a) => a.name === d)]!;
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape }]) => [name, { type: dtype, shape: shape.map(size) }]),
  );
}

/** Replaces the varying constants by nodes that compute them. */
function makeDynamic(
  message: ModelMessage,
  names: ReadonlyMap<Value, string>,
  varying: readonly Value[][],
  axes: readonly AxisSource[],
  low: readonly number[],
  high: readonly number[],
): void {
  const shapes = new ShapeNodes(axes);
  const replaced = new Set<string>();
  for (const values of varying) {
    const [constant] = values as [Value];
    const name = names.get(constant)!;
    const numbers: Polynomial[] = Array.from({ length: constant.data!.length }, (_, i) =>
      interpolate(
        values.map((value) => Number(value.data![i])),
        low,
        high,
      ),
    );
    if (numbers.some((p) => p.some((c) => !Number.isInteger(c)))) {
      throw new EngineError(
        'DYNAMIC_AXIS',
        `a shape is not an integer polynomial of ${axes.map((a) => a.name).join(', ')}.`,
      );
    }
    replaced.add(name);
    shapes.emit(name, numbers, constant.type, constant.shape);
  }
  message.graph.initializer = [
    ...message.graph.initializer.filter((t) => !replaced.has(t.name!)),
    ...shapes.initializers,
  ];
  message.graph.node = [...shapes.nodes, ...message.graph.node];
}
