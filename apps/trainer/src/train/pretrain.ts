/**
 * From settings to a trained, exported checkpoint: reads the data, puts the model together or finds where an earlier run
 * stopped, trains, exports, reports. The recipe itself is in train.ts.
 */
import path from 'node:path';
import type { BackendName } from '../backend/names.js';
import { openBackend, type Backend } from '../backend/open-backend.js';
import { exportCheckpoint, isExported } from '../checkpoint/export-checkpoint.js';
import { writeCalibration } from '../evaluation/calibrate-labels.js';
import { lockOutput } from '../checkpoint/lock-output.js';
import { loadOrCreateState } from '../checkpoint/load-or-create-state.js';
import { modelCard } from '../checkpoint/model-card.js';
import { bestFolder, firstSnapshot, openRunFolder } from '../checkpoint/run-folder.js';
import type { TrainingState } from '../checkpoint/training-state.js';
import type { RunSettings } from '../config/run-settings.js';
import { openMetricsLog, trainingSeconds } from '../logging/metrics-log.js';
import { duration } from '../logging/lines.js';
import { createProgressPrinter, type ProgressPrinter } from '../logging/progress.js';
import { openExperimentLogger } from '../logging/wandb.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { epochBatches } from '../data/batches.js';
import type { PairSource } from '../data/pair-source.js';
import { writeContactSheet } from './report/contact-sheet.js';
import { planStage } from './stage/plan-stage.js';
import { announcePlan } from './estimate/announce-plan.js';
import { openJournal } from './run/journal.js';
import { evaluateBest } from './report/evaluate-best.js';
import { learningOf } from './stage/learning.js';
import { openModel } from './run/open-model.js';
import {
  assertOutsideImages,
  openSources,
  readSplits,
  type RunSources,
  type RunSplits,
} from './run/run-data.js';
import { runSummary } from './report/run-summary.js';
import { watchStopSignals, type StopSignals } from './run/stop-signal.js';
import { train } from './train.js';
import { writeReport } from './report/write-report.js';

export interface PretrainOptions {
  settings: RunSettings;
  backend: BackendName;
  /** Start over although the output holds a run. */
  restart: boolean;
  /** Give a finished run more epochs. */
  extend: boolean;
  /** Decode every image before training, and leave out those that cannot be. */
  verify: boolean;
  /** Print the plan, draw the first batch, and end. */
  dryRun: boolean;
  /** Start although the memory may not suffice. */
  ignoreMemory: boolean;
  /** Bytes of decoded images that may be kept in memory. */
  imageMemory: number;
  /** Where resized images are kept on disk, for this run and later ones; nowhere when absent. */
  imageCache: string | undefined;
  /** Where features of frozen towers are kept for later runs. */
  featureFolder: string;
}

/** Leaves `<output>/checkpoint`, `<output>/last`, metrics.jsonl and report.html. */
export async function pretrain(options: PretrainOptions): Promise<void> {
  const { settings, restart, verify } = options;
  const printer = createProgressPrinter();
  const stop = watchStopSignals();
  await assertOutsideImages(settings);
  await lockOutput(settings.output);
  const splits = await readSplits(settings, verify, printer);
  const { split, images } = splits.training;
  const trained = { split, images: images.length, fingerprint: splits.fingerprints.training };
  const state = await loadOrCreateState(settings, trained, options);
  if (state.finished && (await isExported(bestFolder(settings.output)))) {
    printer.log(`${settings.output} holds this run, finished; pass --restart to train it again`);
    return;
  }
  const [extension] = state.extensions.slice(-1);
  if (extension && !state.finished)
    printer.log(`extended from ${extension.from} to ${extension.to} epochs in its last stage`);
  const device = settings.stages[0]!.config.device;
  const backend = await openBackend(options.backend, { device, log: printer.log });
  announcePrecision(settings, backend, printer.log);
  const assembled = await openModel(settings, state, splits, restart, printer.log);
  for (const stage of settings.stages) learningOf(stage, assembled, settings.model.temperature);
  const sources = await openSources(splits, assembled, settings, options.imageCache, printer.log);
  try {
    const { training, validation } = sources;
    const { ignoreMemory, imageMemory, featureFolder } = options;
    const fingerprint = splits.fingerprints.training;
    const run = { settings, state, backend, assembled, training, validation, fingerprint, featureFolder };
    sources.keepImages(await announcePlan({ ...run, ignoreMemory, imageMemory, log: printer.log }));
    if (options.dryRun)
      return await drawFirstBatch(settings, state, sources.training, assembled, printer.log);
    await trainAndReport({ options, splits, sources, backend, assembled, printer, stop }, state);
  } finally {
    await sources.closeSources();
  }
}

/** The batch that the run would begin with. */
async function drawFirstBatch(
  { stages, output }: RunSettings,
  { stage, epoch, step }: TrainingState,
  training: PairSource,
  assembled: AssembledModel,
  log: (line: string) => void,
): Promise<void> {
  const { config } = stages[stage]!;
  const { batchSize, microBatches } = planStage(config, training.pixels.count);
  const { seed, augmentation } = config;
  const options = { seed, augmentation, batchSize, microBatches };
  for await (const [batch] of epochBatches(training, epoch, step, step + 1, options)) {
    log(`dry run: the first batch is drawn in ${await writeContactSheet(output, batch!, assembled)}`);
  }
}

function announcePrecision(
  { stages }: RunSettings,
  { name, mixedPrecision }: Backend,
  log: (line: string) => void,
) {
  if (!stages.some(({ config }) => config.fp16)) return;
  log(
    mixedPrecision
      ? 'fp16 is 1 in the configuration: matrix products and convolutions in float16, with loss scaling'
      : `fp16 is 1 in the configuration; ${name} computes in float32, which needs no loss scaling`,
  );
}

interface Run {
  options: PretrainOptions;
  splits: RunSplits;
  sources: RunSources;
  backend: Backend;
  assembled: AssembledModel;
  printer: ProgressPrinter;
  stop: StopSignals;
}

async function trainAndReport(
  { options, splits, sources, backend, assembled, printer, stop }: Run,
  state: TrainingState,
): Promise<void> {
  const { settings, featureFolder } = options;
  const { output } = settings;
  const metrics = await openMetricsLog(path.join(output, 'metrics.jsonl'), state.updates);
  const summary = runSummary(settings, backend, splits, assembled);
  const experiment = await openExperimentLogger(settings.wandb, state.settings, printer.log);
  stop.defer(printer.log);
  printer.log(
    `${summary.parameters.toLocaleString('en')} parameters; ${summary.trainingImages} training and ` +
      `${summary.validationImages} validation images; run in ${output}`,
  );
  const run = {
    settings,
    assembled,
    backend,
    training: sources.training,
    validation: sources.validation,
    fingerprints: splits.fingerprints,
    folder: openRunFolder(output, assembled, (current) => modelCard(summary, current, metrics.records)),
    featureFolder,
    journal: openJournal(settings, metrics, experiment, printer),
    printer,
    onEpoch: () => writeReport(output, state.settings, metrics),
    stop,
  };
  try {
    await train(run, await firstSnapshot(output, state, assembled.weights));
  } finally {
    stop.undefer();
    await experiment.finish();
  }
  stop.throwIfRequested();
  // Not kept in a variable: the export needs the memory.
  const { calibration, predictions } = await evaluateBest(
    run,
    await run.folder.bestWeights(),
    splits.validation,
  );
  const { difference } = await exportCheckpoint(bestFolder(output), backend, (folder) =>
    writeCalibration(folder, calibration),
  );
  printer.log(`ONNX export differs from the trainer's embeddings by at most ${difference.toExponential(1)}`);
  await writeReport(output, state.settings, metrics, predictions);
  printer.log(`done after ${duration(trainingSeconds(metrics))} of training: ${bestFolder(output)}`);
}
