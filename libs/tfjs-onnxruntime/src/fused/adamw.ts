/**
 * FusedAdamW: one step of Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101), in the
 * arithmetic of PyTorch's AdamW.
 *
 * It is recorded as ordinary ops; the node of the new parameter also remembers what it was made from, so that a replayed
 * function whose state it is can leave these ops out and update its buffers in place (see replay/).
 */
import { add, binary, div, mul, sqrt, sub } from '../graph/ops.js';
import { scalar, type GraphNode, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';

interface AdamWAttrs {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}
/** One recorded update: param, m and v are replaced by the result, newM and newV. */
export interface ParameterUpdate extends AdamWAttrs {
  readonly param: Value;
  readonly m: Value;
  readonly v: Value;
  readonly newM: Value;
  readonly newV: Value;
  readonly grad: Value;
  readonly lr: Value;
  readonly clip: Value;
  readonly correction1: Value;
  readonly correction2: Value;
}

/** By the node that makes the new parameter: once it has run, the node is garbage and the update with it. */
const updates = new WeakMap<GraphNode, ParameterUpdate>();

/** The update that `value` is the new parameter of, while it is pending. */
export const parameterUpdateOf = ({ producer }: Value): ParameterUpdate | undefined =>
  producer && updates.get(producer);

type AdamWInputs = 'param' | 'm' | 'v' | 'grad' | 'lr' | 'clip' | 'correction1' | 'correction2';

/** The update as ordinary ops. */
export function composeAdamW(
  { param, m, v, grad, lr, clip, correction1, correction2 }: Readonly<Record<AdamWInputs, Value>>,
  { beta1, beta2, epsilon, weightDecay }: AdamWAttrs,
): { newParam: Value; newM: Value; newV: Value } {
  const g = mul(grad, clip);
  const newM = add(mul(m, beta1), mul(g, 1 - beta1));
  const newV = add(mul(v, beta2), mul(mul(g, g), 1 - beta2));
  const denominator = add(sqrt(mul(newV, correction2)), epsilon);
  const step = div(mul(newM, mul(lr, correction1)), denominator);
  const decayed = weightDecay === 0 ? param : mul(param, sub(scalar(1), mul(lr, weightDecay)));
  return { newParam: binary('Sub', decayed, step), newM, newV };
}

export const adamWKernels: KernelDefinition[] = [
  define<AdamWInputs, AdamWAttrs>('FusedAdamW', (inputs, attributes) => {
    const { newParam, newM, newV } = composeAdamW(inputs, attributes);
    if (newParam.producer) {
      updates.set(newParam.producer, { ...inputs, newM, newV, ...attributes });
    }
    return [newParam, newM, newV];
  }),
];
