/** Whether an epoch's validation is the best so far, and for how many epochs there has been none better. Pure. */
import type { TrainingState } from '../checkpoint/training-state.js';
import type { Stage } from '../config/run-settings.js';
import type { Validation } from '../evaluation/validate.js';

type Mode = Stage['config']['scheduler_mode'];

/** "scheduler_mode": 'min' counts the loss, 'max' text-to-image R@10. Higher is better. */
const metricOf = ({ loss, retrieval }: Validation, mode: Mode): number =>
  mode === 'min' ? -loss : retrieval.text_to_image.r10;

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
  const metric = metricOf(validation, mode);
  const bestOfStage = state.stageBest === null || metric > state.stageBest;
  const best = state.best === null || modes[state.best.stage] !== mode || metric > state.best.metric;
  return {
    best,
    state: {
      ...state,
      staleEpochs: bestOfStage ? 0 : state.staleEpochs + 1,
      stageBest: bestOfStage ? metric : state.stageBest,
      best: best ? { metric, stage: state.stage, epoch: state.epoch } : state.best,
    },
  };
}
