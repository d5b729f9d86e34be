/** Where a run stands: at its start, where `<output>/last` of the same run left it, or at the start of more epochs. */
import type { RunSettings } from '../config/run-settings.js';
import { InputError } from '../errors.js';
import {
  describeDifference,
  differingSettings,
  resumeSettings,
  type TrainedData,
} from './resume-settings.js';
import { lastFolder } from './run-folder.js';
import { freshState, readTrainingState, type TrainingState } from './training-state.js';

export interface StateOptions {
  /** Start over whatever the folder holds. */
  restart: boolean;
  /** Give a finished run more epochs in its last stage. */
  extend: boolean;
}

/** @throws InputError when the folder holds a run with other settings; the message names them */
export async function loadOrCreateState(
  settings: RunSettings,
  data: TrainedData,
  { restart, extend }: StateOptions,
): Promise<TrainingState> {
  const { stages, output } = settings;
  if (stages.length === 0) throw new InputError('"epochs" is 0 in both stages: there is nothing to train');
  if (restart && extend)
    throw new InputError('--restart starts over and --extend continues: pass one of them');
  const own = resumeSettings(settings, data);
  const found = restart ? undefined : await readTrainingState(lastFolder(output));
  if (!found) {
    if (extend) throw new InputError(`--extend: --output ${output} holds no run`);
    return freshState(own);
  }
  const differences = differingSettings(found.settings, own);
  const { name, config } = stages.at(-1)!;
  const key = `${name} epochs`;
  if (differences.length === 0) {
    if (extend && found.finished && found.extensions.length === 0)
      throw new InputError(
        `--extend: the run in ${output} has made the ${config.epochs} epochs that are asked for; raise "epochs" or --epochs`,
      );
    return found;
  }
  const before = found.settings[key];
  const onlyEpochs = differences.every((difference) => difference === key) && typeof before === 'number';
  if (onlyEpochs && found.finished && config.epochs > before)
    return extended(
      found,
      own,
      { stage: stages.length - 1, from: before, to: config.epochs },
      extend,
      output,
    );
  throw otherSettings(output, found, own, differences, extend);
}

/**
 * A finished run at the start of more epochs. Moments and weights are those of its last epoch; the learning rate
 * follows the schedule of the longer run from there. Early stopping counts from zero again.
 */
function extended(
  found: TrainingState,
  settings: Record<string, unknown>,
  { stage, from, to }: Record<'stage' | 'from' | 'to', number>,
  extend: boolean,
  output: string,
): TrainingState {
  if (!extend) {
    throw new InputError(
      `--output ${output} holds a finished run of ${from} epochs, and ${to} are asked for; pass --extend to continue from its ` +
        'last epoch, name another --output, or pass --restart to replace it',
    );
  }
  if (found.epoch === 0) {
    throw new InputError(
      `--extend: the run in ${output} was finished by an earlier version, which did not keep the optimiser; start a new ` +
        `one with --init-from ${output}/checkpoint and another --output`,
    );
  }
  const extensions = [...found.extensions, { stage, from, to, updates: found.updates }];
  return { ...found, settings, stage, step: 0, staleEpochs: 0, finished: false, extensions };
}

function otherSettings(
  output: string,
  found: TrainingState,
  own: Record<string, unknown>,
  differences: readonly string[],
  extend: boolean,
): InputError {
  const described = differences.map((name) => describeDifference(name, found.settings, own)).join('; ');
  const reason = found.finished
    ? '--extend raises the epochs of the last stage and nothing else'
    : '--extend takes a finished run: finish it first with the settings that it has';
  return new InputError(
    `--output ${output} holds a run with other settings: ${described}. ` +
      `${extend ? `${reason}. ` : ''}Name another --output, or pass --restart to replace it`,
  );
}
