/** A loss that is NaN or infinite ends a run; the last checkpoint stays. */
import { TrainingError } from '../../errors.js';

/**
 * Runs `work`, whose loss must be finite. The onnxruntime backend itself stops at NaN and infinity, with an error that
 * says which op made them.
 * @param what e.g. "the loss of step 3"
 * @throws TrainingError
 */
export async function withFiniteLoss<T extends { loss: number }>(
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const result = await work();
    if (Number.isFinite(result.loss)) return result;
    throw nonFiniteLoss(what, String(result.loss));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'NON_FINITE')) throw error;
    throw nonFiniteLoss(what, `NaN or infinite (${error.message})`);
  }
}

const nonFiniteLoss = (what: string, found: string): TrainingError =>
  new TrainingError(
    `${what} is ${found}, not a finite number; training stops and the last checkpoint stays. ` +
      'A lower learning_rate or a longer warm-up (warmup_steps_factor) may help',
  );
