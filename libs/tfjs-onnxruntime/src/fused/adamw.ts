/**
 * FusedAdamW: one step of Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101), in the
 * arithmetic of PyTorch's AdamW.
 *
 * It is recorded as ordinary ops; the new parameter also carries what it was made from, so that a replayed function
 * whose state it is can leave these ops out and update its buffers in place (see replay/).
 */
import { add, binary, div, mul, sqrt, sub } from '../graph/ops.js';
import { scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';

interface AdamWAttrs {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}
type AdamWInputs = 'param' | 'm' | 'v' | 'grad' | 'lr' | 'clip' | 'correction1' | 'correction2';

export const adamWKernels: KernelDefinition[] = [
  define<AdamWInputs, AdamWAttrs>('FusedAdamW', (inputs, { beta1, beta2, epsilon, weightDecay }) => {
    const { param, m, v, grad, lr, clip, correction1, correction2 } = inputs;
    const g = mul(grad, clip);
    const newM = add(mul(m, beta1), mul(g, 1 - beta1));
    const newV = add(mul(v, beta2), mul(mul(g, g), 1 - beta2));
    const denominator = add(sqrt(mul(newV, correction2)), epsilon);
    const step = div(mul(newM, mul(lr, correction1)), denominator);
    const decayed = weightDecay === 0 ? param : mul(param, sub(scalar(1), mul(lr, weightDecay)));
    const newParam: Value = binary('Sub', decayed, step);
    newParam.update = { ...inputs, newM, newV, beta1, beta2, epsilon, weightDecay };
    return [newParam, newM, newV];
  }),
];
