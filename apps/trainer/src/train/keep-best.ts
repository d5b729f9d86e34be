/** Whether an epoch's validation is the best so far, and for how many epochs there has been none better. Pure. */
import type { Score, TrainingState } from '../checkpoint/training-state.js';
import type { Stage } from '../config/run-settings.js';
import type { Validation } from '../evaluation/validate.js';

type Mode = Stage['config']['scheduler_mode'];

/** "scheduler_mode": 'min' counts the loss, 'max' text-to-image R@10. Higher is better. */
const metricOf = ({ loss, retrieval }: Validation, mode: Mode): number =>
  mode === 'min' ? -loss : retrieval.text_to_image.r10;

/** Recall takes few values and soon ties: equal metrics go to the lower loss. */
const isBetter = (a: Score, b: Score): boolean =>
  a.metric > b.metric || (a.metric === b.metric && a.loss !== null && b.loss !== null && a.loss < b.loss);

/**
 * @param state after an epoch
 * @param modes of all stages; a best value of a stage with another mode compares with nothing, and is replaced
 * @returns the state with this epoch counted, and whether it is the best of the run
 */
export function countEpoch(
  state: TrainingState,
  validation: Validation,
  modes: readonly Mode[],
): { state: TrainingState; best: boolean } {
  const mode = modes[state.stage]!;
  const score: Score = { metric: metricOf(validation, mode), loss: validation.loss };
  const bestOfStage = state.stageBest === null || isBetter(score, state.stageBest);
  const best = state.best === null || modes[state.best.stage] !== mode || isBetter(score, state.best);
  return {
    best,
    state: {
      ...state,
      staleEpochs: bestOfStage ? 0 : state.staleEpochs + 1,
      stageBest: bestOfStage ? score : state.stageBest,
      best: best ? { ...score, stage: state.stage, epoch: state.epoch } : state.best,
    },
  };
}
