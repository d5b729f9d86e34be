/** Which tensors learn, and at which share of the learning rate. Pure. */
import {
  isFrozen,
  towerPositions,
  type DualEncoder,
  type FrozenTowers,
  type TensorSpec,
} from '../model/index.js';
import type { LossKind } from './loss.js';
import { LOGIT_BIAS, LOGIT_SCALE } from './program-state.js';

/** Blocks of each tower that learn, counted from its end, with all that follows them; absent: the whole tower. */
export interface UnfrozenBlocks {
  readonly vision?: number;
  readonly text?: number;
}

export interface LearningParts {
  readonly frozenTowers: FrozenTowers;
  /** False: logit_scale keeps its value. */
  readonly learnTemperature: boolean;
  /** Only the sigmoid loss has a gradient for logit_bias. Default softmax. */
  readonly loss?: LossKind;
  readonly unfreezeLast?: UnfrozenBlocks;
}

/** Names of the tensors that learn. */
export function trainableNames(
  model: DualEncoder,
  specs: readonly TensorSpec[],
  { frozenTowers, learnTemperature, loss = 'softmax', unfreezeLast = {} }: LearningParts,
): string[] {
  const positions = towerPositions(model);
  const learns = (name: string): boolean => {
    if (name === LOGIT_SCALE) return learnTemperature;
    if (name === LOGIT_BIAS) return loss === 'sigmoid';
    const position = positions.get(name);
    if (position === undefined) return true;
    const { side, layer, depth } = position;
    return !isFrozen(frozenTowers, side) && layer > depth - (unfreezeLast[side] ?? depth + 1);
  };
  return specs.filter(({ name, trainable }) => trainable && learns(name)).map(({ name }) => name);
}

/** Learning rates by group, as factors on one schedule. */
export interface GroupRates {
  readonly towers: number;
  readonly heads: number;
  /** Of logit_scale and logit_bias. */
  readonly logitScale: number;
  /** A tower tensor's rate is that of towers · layerDecay^(depth + 1 − layer): the closer to the input, the lower. */
  readonly layerDecay: number;
}

/** Each tensor's factor, by name. */
export function rateFactors(
  model: DualEncoder,
  names: readonly string[],
  { towers, heads, logitScale, layerDecay }: GroupRates,
): Map<string, number> {
  const positions = towerPositions(model);
  const factorOf = (name: string): number => {
    if (name === LOGIT_SCALE || name === LOGIT_BIAS) return logitScale;
    const position = positions.get(name);
    return position === undefined ? heads : towers * layerDecay ** (position.depth + 1 - position.layer);
  };
  return new Map(names.map((name) => [name, factorOf(name)]));
}
