/**
 * The state of the contrastive program: the weights under their checkpoint names, AdamW's moments of what learns, and,
 * for wide batches, sums of gradients. The names of the moments are those of training/optimizer.safetensors.
 */
import { float32, type HostTensors } from './host-tensor.js';

export const LOGIT_SCALE = 'logit_scale';
/** What the sigmoid loss adds to every logit. */
export const LOGIT_BIAS = 'logit_bias';

export const firstMoment = (name: string) => `adam_m.${name}`;
export const secondMoment = (name: string) => `adam_v.${name}`;
export const gradientSum = (name: string) => `grad.${name}`;

/** Names of the optimiser's tensors in the state, for checkpoints. */
export const momentNames = (trainable: readonly string[]): string[] =>
  trainable.flatMap((name) => [firstMoment(name), secondMoment(name)]);

/**
 * @param wideBatch whether steps have several micro-batches, whose gradients are summed in the state
 * @param moments AdamW's moments of an earlier run; what is missing starts at 0
 */
export function initialState(
  weights: HostTensors,
  trainable: readonly string[],
  wideBatch: boolean,
  moments: HostTensors = {},
): HostTensors {
  const state: HostTensors = { ...weights };
  for (const name of trainable) {
    const { shape, data } = weights[name]!;
    const zeros = () => float32(new Float32Array(data.length), shape);
    for (const moment of momentNames([name])) state[moment] = moments[moment] ?? zeros();
    if (wideBatch) state[gradientSum(name)] = zeros();
  }
  return state;
}
