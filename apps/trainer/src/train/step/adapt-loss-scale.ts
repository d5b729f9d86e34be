/** What mixed precision does after a step: it keeps the loss scale as high as the gradients allow. */
import { nextLossScale, SMALLEST_LOSS_SCALE, type LossScale } from '@clip-ts/clip/train';
import { TrainingError } from '../../errors.js';
import type { StepResult } from './train-step.js';

/**
 * The scale for the next step.
 * @throws TrainingError where gradients are not finite whatever the scale
 */
export function adaptLossScale(
  before: LossScale,
  step: number,
  { gradientNorm }: Pick<StepResult, 'gradientNorm'>,
  log: (line: string) => void,
): LossScale {
  const overflowed = !Number.isFinite(gradientNorm);
  const next = nextLossScale(before, overflowed);
  if (next.scale < SMALLEST_LOSS_SCALE) {
    throw new TrainingError(
      `the gradients of step ${step} are not finite in float16 even at a loss scale of ${before.scale}; training stops and the last ` +
        'checkpoint stays. Set "fp16" to 0, or lower learning_rate',
    );
  }
  if (overflowed)
    log(
      `step ${step}: gradients overflowed float16; the step is left out, the loss scale is ${next.scale} now`,
    );
  return next;
}
