/** What a forward pass needs besides weights and inputs. */
import type * as tf from '@tensorflow/tfjs-core';

/** Neither, both, or the one that is named. */
export type FrozenTowers = boolean | 'vision' | 'text';

/** Make one per pass with `createContext`. Copies of it that differ in a field still count masks together. */
export interface ForwardContext {
  /** True turns on dropout, attention dropout and drop path. */
  readonly training: boolean;
  /** Int32 scalar that drives the random masks; the same seed gives the same masks. Needed in training. */
  readonly seed?: tf.Tensor;
  /** Towers that run in evaluation mode, both or one; the heads follow `training`. */
  readonly frozenTowers: FrozenTowers;
  /** 'training': batch norm uses the batch's statistics and reports new running statistics. */
  readonly batchNorm: 'evaluation' | 'training';
  /** In training: a tower's blocks compute their inner values again for the backward pass instead of keeping them. */
  readonly gradientCheckpointing?: boolean;
  /** Overrides the momentum of the architecture (torch's sense), in (0, 1]. */
  readonly batchNormMomentum?: number;
  /**
   * The positions whose outputs the caller reads; absent: a tower computes all, a dual encoder those that it pools.
   * 'first': pooler_output or the first token, nothing else. Blocks mix tokens in their attention only, so a tower that
   * pools its first token computes the rest of its last block for that token alone, and its last_hidden_state is
   * [B, 1, D]. Values and gradients of what is read stay the same.
   */
  readonly outputPositions?: 'all' | 'first';
  /** Counts the random masks drawn so far: each takes the next number as its salt. */
  readonly masks: { drawn: number };
  /** New running statistics and counts of batches (int32) by tensor name, filled by batch norm in training mode. */
  readonly statistics: Record<string, tf.Tensor>;
}

/** The default is evaluation: no dropout, running statistics. */
export function createContext(
  options: Partial<Omit<ForwardContext, 'masks' | 'statistics'>> = {},
): ForwardContext {
  const { training = false, frozenTowers = false, batchNorm = 'evaluation', ...rest } = options;
  return { ...rest, training, frozenTowers, batchNorm, masks: { drawn: 0 }, statistics: {} };
}

/** Whether a tower is frozen. */
export const isFrozen = (frozen: FrozenTowers, side: 'vision' | 'text'): boolean =>
  frozen === true || frozen === side;

/** For what reads more than the first position: all blocks but the last, towers that pool elsewhere. */
export function everyPosition(ctx: ForwardContext): ForwardContext {
  return { ...ctx, outputPositions: 'all' };
}
