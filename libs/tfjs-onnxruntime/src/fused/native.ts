/**
 * The fused ops of the native addon, as nodes. They are recorded only into graphs that will run there; everywhere else
 * the composed ops of the other files of this folder compute the same.
 */
import { reshape } from '../graph/layout.js';
import { sameShape, sizeOf } from '../graph/shape.js';
import { node, type AttributeValue, type GraphNode, type OutputSpec, type Value } from '../graph/value.js';

const float = (shape: readonly number[]): OutputSpec => ({ type: 'float32', shape });

const record = (
  op: string,
  inputs: readonly Value[],
  outputs: readonly OutputSpec[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): Value[] => node(op, inputs, attributes, outputs, 'ort.native');

/** Gradients of layer normalisation from the mean and inverse deviation that the forward pass kept. */
export const nativeLayerNormGradient = (
  dy: Value,
  x: Value,
  gamma: Value,
  { mean, inverse }: Readonly<Record<string, Value>>,
): Value[] =>
  record(
    'LayerNormGradient',
    [dy, x, gamma, mean!, inverse!],
    [float(x.shape), float(gamma.shape), float(gamma.shape)],
  );

/**
 * Layer normalisation of a sum x = a + b in one node that delivers x too: the node takes the place of the Add. Undefined
 * where x is something else, or where gamma or beta are computed (they might depend on x).
 */
export function nativeAddLayerNorm(x: Value, gamma: Value, beta: Value, epsilon: number): Value | undefined {
  const sum = x.producer;
  if (sum?.op !== 'Add' || gamma.producer || beta.producer || sizeOf(x.shape) === 0) return undefined;
  const operands = sum.inputs as readonly Value[];
  if (!operands.every(({ shape }) => sameShape(shape, x.shape))) return undefined;
  const perRow = float([...x.shape.slice(0, -1), 1]);
  const attributes = { epsilon: { float: epsilon } };
  const recorded = record(
    'AddLayerNorm',
    [...operands, gamma, beta],
    [float(x.shape), float(x.shape), perRow, perRow],
    attributes,
  );
  const [, y, mean, inverse] = recorded as [Value, Value, Value, Value];
  const outputs = [x, y, mean, inverse];
  const fused: GraphNode = { ...y.producer!, outputs };
  for (const output of outputs) output.producer = fused;
  y.companions = { mean, inverse };
  return y;
}

/** The operands of x = rows + bias [D], also behind a Reshape that keeps D; undefined where x is something else. */
function biasOf(x: Value): { rows: Value; bias: Value } | undefined {
  const { producer } = x;
  if (producer?.op === 'Reshape') {
    const source = producer.inputs[0]!;
    return source.shape.at(-1) === x.shape.at(-1) ? biasOf(source) : undefined;
  }
  if (producer?.op !== 'Add') return undefined;
  const [a, b] = producer.inputs as [Value, Value];
  const isBias = ({ shape }: Value): boolean => shape.length === 1 && shape[0] === x.shape.at(-1);
  if (isBias(b) && sameShape(a.shape, x.shape)) return { rows: a, bias: b };
  if (isBias(a) && sameShape(b.shape, x.shape)) return { rows: b, bias: a };
  return undefined;
}

/** min(max(x, 0), highest) of a sum x with a bias; undefined where x is something else. */
export function nativeBiasRectify(x: Value, highest: number): Value | undefined {
  const sum = biasOf(x);
  if (sum === undefined) return undefined;
  const { rows, bias } = sum;
  const attributes = { highest: { float: highest } };
  return reshape(record('BiasRectify', [rows, bias], [float(rows.shape)], attributes)[0]!, x.shape);
}

/** Its gradient from its result, and as a second output the sum of that over rows. */
export function nativeRectifierGradient(dy: Value, y: Value, highest: number): Value {
  const outputs = [float(y.shape), float(y.shape.slice(-1))];
  const [dx, columnSum] = record('RectifierGradient', [dy, y], outputs, { highest: { float: highest } });
  dx!.companions = { columnSum: columnSum! };
  return dx!;
}

/** GELU of a sum with a bias; undefined where x is something else. */
export function nativeBiasGelu(x: Value, op: 'BiasGelu' | 'BiasQuickGelu'): Value | undefined {
  const sum = biasOf(x);
  if (sum === undefined) return undefined;
  const { rows, bias } = sum;
  return reshape(record(op, [rows, bias], [float(rows.shape)])[0]!, x.shape);
}

/** Its gradient, and as a second output the sum of that over rows: the gradient of the bias. */
export function nativeBiasGeluGradient(
  dy: Value,
  x: Value,
  op: 'BiasGelu' | 'BiasQuickGelu',
): Value | undefined {
  const sum = biasOf(x);
  if (sum === undefined) return undefined;
  const { rows, bias } = sum;
  const operands = [reshape(dy, rows.shape), rows, bias];
  const [dx, columnSum] = record(`${op}Gradient`, operands, [float(rows.shape), float(bias.shape)]);
  dx!.companions = { columnSum: columnSum! };
  return reshape(dx!, x.shape);
}

/** y∘(dy − Σ dy∘y) for each row of y, the result of a softmax over its last axis. */
export const nativeSoftmaxGradient = (y: Value, dy: Value): Value =>
  record('SoftmaxGradient', [y, dy], [float(y.shape)])[0]!;

/** Σ x² over all of them, whatever their shapes. */
export function nativeSumOfSquares(values: readonly Value[]): Value {
  const inputs = values.map((x) => (x.producer?.op === 'Reshape' ? x.producer.inputs[0]! : x));
  return record('SumOfSquares', inputs, [float([])], { inputs: inputs.length })[0]!;
}
