/**
 * Loss scaling (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2): float16 ends at 6e-8 and at 65,504, so in mixed precision
 * gradients are computed times a factor and divided by it before they are used. A step whose gradients overflow is left
 * out and the factor halved; after many good steps it is doubled. The rules are those of PyTorch's GradScaler.
 */
/** The input of a program's functions that gradients are multiplied by; 1 where all is float32. */
export type LossScaleInput = 'loss_scale';

/** Part of a checkpoint: a resumed run continues with it. */
export interface LossScale {
  /** A power of two, so that scaling rounds nothing. */
  scale: number;
  /** Steps since it last changed. */
  steps: number;
  /** Steps of the stage that were left out; AdamW does not count them. */
  skipped: number;
}

export const INITIAL_LOSS_SCALE: LossScale = { scale: 2 ** 16, steps: 0, skipped: 0 };

const GROWTH_INTERVAL = 2000;
const LARGEST = 2 ** 24;
/** Where gradients overflow even at this scale, precision is not the cause. */
export const SMALLEST_LOSS_SCALE = 2 ** -10;

/** After a step. @param overflowed whether its gradients were not finite, so that it changed nothing */
export function nextLossScale({ scale, steps, skipped }: LossScale, overflowed: boolean): LossScale {
  if (overflowed) return { scale: scale / 2, steps: 0, skipped: skipped + 1 };
  if (steps + 1 < GROWTH_INTERVAL) return { scale, steps: steps + 1, skipped };
  return { scale: Math.min(2 * scale, LARGEST), steps: 0, skipped };
}
