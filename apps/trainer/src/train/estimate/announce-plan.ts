/** What a run is about to do, said before its first step: who learns, for how many steps, in how much memory and time. */
import type { Backend } from '../../backend/open-backend.js';
import type { RunSettings, Stage } from '../../config/run-settings.js';
import type { TrainingState } from '../../checkpoint/training-state.js';
import { InputError } from '../../errors.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import { freeMemory } from '@clip-ts/clip/system';
import type { PairSource } from '../../data/pair-source.js';
import { featuresAreKept } from '../../features/feature-source.js';
import { duration } from '../../logging/lines.js';
import { trainingViews } from '../work/feature-work.js';
import { learningOf } from '../stage/learning.js';
import { describeImageRoom, imageRoom, imagesToKeep } from './image-memory.js';
import { stageMemory } from './memory-estimate.js';
import { usesFeatures } from '../work/open-stage-work.js';
import { planStage } from '../stage/plan-stage.js';
import { stepCost } from './stage-cost.js';
import { featureSeconds, measureImageSeconds, towerSeconds, type TimeOptions } from './time-estimate.js';

export interface PlanOptions {
  settings: RunSettings;
  state: TrainingState;
  backend: Backend;
  assembled: AssembledModel;
  training: PairSource;
  validation: PairSource;
  /** Of the training split's content. */
  fingerprint: string;
  featureFolder: string;
  /** Start although the memory may not suffice. */
  ignoreMemory: boolean;
  /** Bytes of decoded images that the user allows. */
  imageMemory: number;
  log: (line: string) => void;
}

/**
 * @returns how many bytes of decoded images may be kept beside the stages
 * @throws InputError memory_insufficient, with advice
 */
export async function announcePlan(options: PlanOptions): Promise<number> {
  const { settings, state, assembled, training, validation, imageMemory, log } = options;
  log(`plan: ${describeParts(assembled)}`);
  const speed = await measureSpeed(options);
  const ahead = settings.stages.slice(state.stage);
  // Where the backend gives no estimate, nobody knows what its steps take.
  let needed = speed === undefined ? undefined : 0;
  for (const [index, stage] of ahead.entries()) {
    const described = await describeStage(stage, options, speed);
    log(`plan: stage ${state.stage + index + 1} (${stage.name}): ${described.text}`);
    if (needed !== undefined) needed = Math.max(needed, described.bytes);
  }
  const wanted = imagesToKeep(ahead, training.pixels, validation.pixels);
  const images = { allowed: imageMemory, wanted, free: freeMemory(), needed };
  const line = describeImageRoom(images);
  if (line !== undefined) log(`plan: ${line}`);
  return imageRoom(images);
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1);
const count = (value: number) => value.toLocaleString('en');
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

function parameters({ specs }: AssembledModel, wanted: (name: string) => boolean): number {
  return specs
    .filter(({ name, trainable }) => trainable && wanted(name))
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

function describeParts(assembled: AssembledModel): string {
  const { model } = assembled;
  const ofTower = (prefix: string) =>
    parameters(assembled, (name) => model.towerTensors.has(name) && name.startsWith(prefix));
  const heads = parameters(assembled, (name) => !model.towerTensors.has(name));
  return (
    `${model.vision.modelType} ${count(ofTower('vision_model.'))} parameters, ` +
    `${model.text.modelType} ${count(ofTower('text_model.'))}, heads and temperature ${count(heads)}`
  );
}

/** How fast this machine is; undefined where the backend cannot tell what it will compute. */
type Speed = Pick<TimeOptions, 'backend' | 'rates' | 'imageSeconds'> | undefined;

async function measureSpeed({ backend, training }: PlanOptions): Promise<Speed> {
  const { estimates } = backend;
  if (estimates === undefined) return undefined;
  const rates = await estimates.measureRates();
  return { backend: { ...backend, estimates }, rates, imageSeconds: await measureImageSeconds(training) };
}

interface StageDescription {
  text: string;
  /** Of memory beyond what the process holds now, where the stage runs the towers. */
  bytes: number;
}

async function describeStage(stage: Stage, options: PlanOptions, speed: Speed): Promise<StageDescription> {
  const { settings, assembled, training, validation } = options;
  const plan = planStage(stage.config, training.pixels.count);
  const learning = learningOf(stage, assembled, settings.model.temperature);
  const learns = new Set(learning.trainable);
  const share = parameters(assembled, (name) => learns.has(name)) / parameters(assembled, () => true);
  const { epochs } = stage.config;
  const steps =
    `${count(plan.schedule.totalSteps)} steps of ${plan.pairs} pairs (${epochs} ${epochs === 1 ? 'epoch' : 'epochs'} of ${plan.stepsPerEpoch}), ` +
    `${(100 * share).toFixed(1)} % of the parameters learn`;
  const fromFeatures = `${steps}, on features of the towers, computed once`;
  if (speed === undefined) return { text: usesFeatures(stage) ? fromFeatures : steps, bytes: 0 };
  const parts = { ...speed, assembled, learning, stage, plan, training, validation };
  if (usesFeatures(stage)) {
    const seconds = featureSeconds(parts);
    const kept = await featuresAreKept({ ...featuresIn(options), views: trainingViews(stage) });
    const ofFeatures = kept ? 'already computed' : `about ${duration(seconds.features)}`;
    const text = `${fromFeatures} (${ofFeatures}), about ${duration(seconds.steps)} for the steps`;
    return { text, bytes: 0 };
  }
  const cost = stepCost(parts);
  const { sharesMemory } = options.backend;
  const needed = stageMemory({ assembled, learning, plan, image: training.pixels, cost, sharesMemory });
  const free = freeMemory();
  const peak = needed + process.memoryUsage.rss();
  if (needed > free && !options.ignoreMemory) throw new InputError(refusal(stage, peak, needed, free));
  const text =
    `${steps}, up to about ${gigabytes(peak)} of memory (${gigabytes(free)} free), ` +
    `about ${duration(towerSeconds(parts, cost))}`;
  return { text, bytes: needed };
}

const featuresIn = ({ assembled, fingerprint, featureFolder: folder }: PlanOptions) => ({
  assembled,
  weights: assembled.weights,
  fingerprint,
  folder,
});

const refusal = ({ name, config, file }: Stage, peak: number, needed: number, free: number): string =>
  `memory_insufficient: stage "${name}" would take about ${gigabytes(needed)} more (${gigabytes(peak)} in all), and ` +
  `${gigabytes(free)} are free. In ${file} lower "batch_size" (${config.batch_size}) and raise ` +
  `"gradient_accumulation_steps" (${config.gradient_accumulation_steps}) as much, so that the contrastive batch stays the same; ` +
  (config.gradient_checkpointing ? '' : 'pass --gradient-checkpointing, which trades time for memory; ') +
  'or shorten captions with "max_length_corpus" of the model config. --ignore-memory starts anyway';
