/**
 * From settings to a trained, exported checkpoint: reads the data, puts the model together or finds where an earlier run
 * stopped, trains, exports, reports. The recipe itself is in train.ts.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '@clip-ts/clip';
import { embeddingProgram } from '@clip-ts/clip/train';
import type { BackendName } from './backend/names.js';
import { openBackend, type Backend } from './backend.js';
import {
  differingSettings,
  freshState,
  readMoments,
  readTrainingState,
  type TrainingState,
} from './checkpoint/training-state.js';
import { readCocoSplit, type CocoSplit } from './coco/read-coco.js';
import type { PairSource } from './data/batches.js';
import { openPairSource } from './data/open-pair-source.js';
import { InputError } from './errors.js';
import { exportCheckpoint, isExported } from './export/export-checkpoint.js';
import { openMetricsLog, type MetricsLog } from './metrics-log.js';
import { assembleModel, reopenModel, type AssembledModel } from './model/assemble.js';
import { createProgressPrinter, duration, type ProgressPrinter } from './progress.js';
import { modelCard, type CardFacts } from './report/model-card.js';
import { samplePredictions } from './report/predictions.js';
import { reportPage, type SamplePrediction } from './report/report.js';
import { resumeSettings, type RunSettings } from './settings.js';
import { bestFolder, lastFolder, train } from './train.js';
import { openExperimentLogger } from './wandb.js';

export interface PretrainOptions {
  settings: RunSettings;
  backend: BackendName;
  /** Begin anew although the output holds a run. */
  restart: boolean;
  /** Bytes of decoded images that may be kept in memory. */
  imageMemory: number;
}

interface Data {
  training: CocoSplit;
  validation: CocoSplit;
}

/** Trains, exports, reports. Leaves `<output>/checkpoint`, `<output>/last`, metrics.jsonl and report.html. */
export async function pretrain(options: PretrainOptions): Promise<void> {
  const { settings } = options;
  const printer = createProgressPrinter();
  const data = await readData(settings);
  for (const warning of [...data.training.warnings, ...data.validation.warnings])
    printer.say(`warning: ${warning}`);
  const state = await stateOf(options, data);
  if (state.finished && (await isExported(bestFolder(settings.output)))) {
    printer.say(`${settings.output} holds this run, finished; pass --restart to train it again`);
    return;
  }
  sayPrecision(settings, printer);
  const device = settings.stages[0]?.config.device ?? 'cpu';
  const backend = await openBackend(options.backend, device, printer.say);
  const assembled = await openModel(options, state, data, printer);
  await trainAndReport(options, data, state, backend, assembled, printer);
}

async function readData({ data, trainSplit, validationSplit }: RunSettings): Promise<Data> {
  const training = await readCocoSplit(data, trainSplit);
  const validation = await readCocoSplit(data, validationSplit);
  if (training.images.length < 2)
    throw new InputError(`--data ${data}: ${trainSplit} needs at least 2 images`);
  return { training, validation };
}

/** Where the run stands: fresh, or as `<output>/last` says when it is the same run. */
async function stateOf({ settings, restart }: PretrainOptions, data: Data): Promise<TrainingState> {
  if (settings.stages.length === 0)
    throw new InputError('"epochs" is 0 in both stages: there is nothing to train');
  const own = resumeSettings(settings, data.training.images.length);
  const found = restart ? undefined : await readTrainingState(lastFolder(settings.output));
  if (!found) return freshState(own);
  const differences = differingSettings(found.settings, own);
  if (differences.length === 0) return found;
  throw new InputError(
    `--output ${settings.output} holds a run with other settings: ${differences.join('; ')}. ` +
      'Name another --output, or pass --restart to replace it',
  );
}

function sayPrecision(settings: RunSettings, printer: ProgressPrinter): void {
  if (settings.stages.some(({ config }) => config.fp16)) {
    printer.say(
      'fp16 is 1 in the configuration; the engine computes in float32, which needs no loss scaling',
    );
  }
}

async function openModel(
  { settings, restart }: PretrainOptions,
  state: TrainingState,
  data: Data,
  printer: ProgressPrinter,
): Promise<AssembledModel> {
  const { output, model, modelFile, stages } = settings;
  if (state.updates > 0 || state.stage > 0) {
    printer.say(
      `going on from ${lastFolder(output)}: stage ${state.stage + 1}, epoch ${state.epoch + 1}, step ${state.step}`,
    );
    return reopenModel(
      lastFolder(output),
      model.max_length_corpus === -1 ? undefined : model.max_length_corpus,
    );
  }
  if (restart) {
    for (const folder of [lastFolder(output), bestFolder(output)])
      await rm(folder, { recursive: true, force: true });
  }
  await mkdir(output, { recursive: true });
  return assembleModel({
    config: model,
    configFile: modelFile,
    corpus: [...data.training.images, ...data.validation.images].flatMap(({ captions }) => captions),
    seed: stages[0]!.config.seed,
    assetFolder: path.join(output, 'assets'),
    report: printer.say,
  });
}

async function trainAndReport(
  { settings, imageMemory }: PretrainOptions,
  data: Data,
  state: TrainingState,
  backend: Backend,
  assembled: AssembledModel,
  printer: ProgressPrinter,
): Promise<void> {
  const { output, stages } = settings;
  const { config } = stages[0]!;
  const open = (split: CocoSplit, workers: number) =>
    openPairSource(split, assembled, { memoryLimit: imageMemory, workers, printer });
  const training = await open(data.training, config.dataloader_num_workers);
  const validation = await open(data.validation, config.num_workers_dataloader);
  const log = await openMetricsLog(path.join(output, 'metrics.jsonl'), state.updates);
  const facts = factsOf(settings, backend, data, assembled);
  const report = (predictions: SamplePrediction[] = []) => writeReport(output, state, log, predictions);
  const experiment = await openExperimentLogger(settings.wandb, state.settings, printer.say);
  const stop = watchSignals(printer);
  printer.say(
    `${facts.parameters.toLocaleString('en')} parameters; ${training.pixels.count} training and ` +
      `${validation.pixels.count} validation images; run in ${output}`,
  );
  try {
    await train({
      settings,
      assembled,
      backend,
      training,
      validation,
      log,
      experiment,
      printer,
      card: (current) => modelCard(facts, current, log.records),
      onEpoch: report,
      stopRequested: () => stop.requested,
      state,
      weights: assembled.weights,
      moments: await readMoments(lastFolder(output)),
    });
  } finally {
    stop.release();
    await experiment.finish();
  }
  const { difference } = await exportCheckpoint(bestFolder(output), backend);
  printer.say(`ONNX export differs from the trainer's embeddings by at most ${difference.toExponential(1)}`);
  await report(await predictionsOf(output, backend, validation, data.validation, config.batch_size));
  printer.say(`done after ${duration(sumSeconds(log))} of training: ${bestFolder(output)}`);
}

const sumSeconds = (log: MetricsLog): number =>
  log.records.reduce((sum, record) => sum + (record.kind === 'step' ? record.seconds : 0), 0);

function factsOf(settings: RunSettings, backend: Backend, data: Data, assembled: AssembledModel): CardFacts {
  const { model, specs, processor, maximumLength } = assembled;
  const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1);
  return {
    settings,
    backend: backend.name,
    datasetName: path.basename(path.resolve(settings.data)),
    trainingImages: data.training.images.length,
    validationImages: data.validation.images.length,
    parameters: specs.filter(({ trainable }) => trainable).reduce((sum, { shape }) => sum + size(shape), 0),
    imageSize: [processor.height, processor.width],
    maximumLength,
    visionType: model.vision.modelType,
    textType: model.text.modelType,
  };
}

const writeReport = (
  output: string,
  state: TrainingState,
  log: MetricsLog,
  predictions: readonly SamplePrediction[],
): Promise<void> =>
  writeFileAtomic(
    path.join(output, 'report.html'),
    reportPage({
      title: `Training run ${path.basename(output)}`,
      settings: state.settings,
      records: log.records,
      predictions,
    }),
  );

async function predictionsOf(
  output: string,
  backend: Backend,
  source: PairSource,
  split: CocoSplit,
  batchSize: number,
): Promise<SamplePrediction[]> {
  const { model, weights } = await reopenModel(bestFolder(output));
  const runner = backend.createRunner(embeddingProgram(model), weights);
  try {
    return await samplePredictions(runner, source, split.images, batchSize);
  } finally {
    runner.dispose();
  }
}

/** The first SIGINT or SIGTERM asks training to stop after its step; a second one ends the process at once. */
function watchSignals(printer: ProgressPrinter): { readonly requested: boolean; release: () => void } {
  const watch = { requested: false, release: () => undefined as void };
  const onSignal = () => {
    if (watch.requested) process.exit(130);
    watch.requested = true;
    printer.say('stopping after this step; once more to stop at once');
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  watch.release = () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  return watch;
}
