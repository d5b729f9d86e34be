/** What a run is made of, for the recipe. */
import type { Backend } from '../../backend/open-backend.js';
import type { RunFolder } from '../../checkpoint/run-folder.js';
import type { RunSettings } from '../../config/run-settings.js';
import type { PairSource } from '../../data/pair-source.js';
import type { ProgressPrinter } from '../../logging/progress.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import type { Journal } from './journal.js';
import type { StopRequest } from '../../stop-request.js';

/** What a run trains, on what, and where it leaves its results. Nothing here changes while it runs. */
export interface TrainingRun {
  settings: RunSettings;
  assembled: AssembledModel;
  backend: Backend;
  training: PairSource;
  validation: PairSource;
  /** Hashes of the splits' content. */
  fingerprints: Record<'training' | 'validation', string>;
  folder: RunFolder;
  /** Where features of frozen towers are kept for later runs. */
  featureFolder: string;
  journal: Journal;
  printer: ProgressPrinter;
  /** Called after each epoch, e.g. to write the report. */
  onEpoch: () => Promise<void>;
  /** Once the user asks to stop, training writes its checkpoint and ends with an error. */
  stop: StopRequest;
}
