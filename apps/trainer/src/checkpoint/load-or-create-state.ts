/** Where a run stands: at its start, or where `<output>/last` says when it is the same run. */
import type { RunSettings } from '../config/run-settings.js';
import { InputError } from '../errors.js';
import { differingSettings, resumeSettings, type TrainedData } from './resume-settings.js';
import { lastFolder } from './run-folder.js';
import { freshState, readTrainingState, type TrainingState } from './training-state.js';

/**
 * @param restart start anew whatever the folder holds
 * @throws InputError when the folder holds a run with other settings; the message names them
 */
export async function loadOrCreateState(
  settings: RunSettings,
  data: TrainedData,
  restart: boolean,
): Promise<TrainingState> {
  if (settings.stages.length === 0)
    throw new InputError('"epochs" is 0 in both stages: there is nothing to train');
  const own = resumeSettings(settings, data);
  const found = restart ? undefined : await readTrainingState(lastFolder(settings.output));
  if (!found) return freshState(own);
  const differences = differingSettings(found.settings, own);
  if (differences.length === 0) return found;
  throw new InputError(
    `--output ${settings.output} holds a run with other settings: ${differences.join('; ')}. ` +
      'Name another --output, or pass --restart to replace it',
  );
}
