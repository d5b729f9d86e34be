import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { SafetensorsFile } from '@clip-ts/clip';
import { createDualEncoder, dualEncoderSpecs } from '@clip-ts/clip/model';
import {
  contrastiveProgram,
  createEagerRunner,
  featureProgram,
  float32,
  headProgram,
  INITIAL_LOSS_SCALE,
  initialState,
  int32,
  intScalar,
  learningRate,
  type LossScale,
  nextLossScale,
  numberOf,
  trainableNames,
  updateInputs,
  type HostTensors,
} from '@clip-ts/clip/train';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasNativeAddon, openComputeDevice } from 'tfjs-onnxruntime';
import { deviceRunners, replayedRunners, type Backend } from '../../backend/open-backend.js';
import { isTfjsNodeInstalled } from '../../../test/native-installed.js';
import { selectBackend } from '../../backend/select-backend.js';
import type { PairBatch } from '../../data/batches.js';
import { trainStep } from './train-step.js';

/** Folders of runs: the project's own, and those of CLIP_TEST_DATA where there are any. */
const ROOTS = [process.env.CLIP_GOLDEN!, path.join(process.env.CLIP_TEST_DATA ?? '', 'golden')]
  .map((root) => path.join(root, 'training'))
  .filter((folder) => existsSync(folder));

interface Trajectory {
  frozen_towers: boolean;
  batch_norm?: 'evaluation' | 'training';
  micro_batches_per_step: number;
  options: {
    lr: number;
    wd: number;
    betas: [number, number];
    eps: number;
    clip: number;
    warmup: number;
    steps: number;
    schedule: 'linear' | 'cosine';
  };
  log: { step: number; lr: number; loss: number; grad_norm: number; logit_scale: number }[];
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

async function readBatch(golden: SafetensorsFile, index: number): Promise<PairBatch> {
  const read = async (name: string) => {
    const key = `batch${index}.${name}`;
    return { values: await golden.readFloat32(key), shape: [...golden.tensors.get(key)!.shape] };
  };
  const pixels = await read('pixel_values');
  const ids = await read('input_ids');
  const mask = await read('attention_mask');
  return {
    pixel_values: float32(pixels.values, pixels.shape),
    input_ids: int32(Int32Array.from(ids.values), ids.shape),
    attention_mask: int32(Int32Array.from(mask.values), mask.shape),
  };
}

/** What a run of the reference started from. The caller closes `golden`. */
async function openRun(folder: string) {
  const trajectory = readJson(path.join(folder, 'trajectory.json')) as Trajectory;
  const { options, log } = trajectory;
  const model = createDualEncoder(readJson(path.join(folder, 'config.json')));
  const weights: HostTensors = {};
  const source = await SafetensorsFile.open(path.join(folder, 'model.safetensors'));
  for (const [name, { dtype, shape }] of source.tensors) {
    const values = await source.readFloat32(name);
    weights[name] =
      dtype === 'I64' ? int32(Int32Array.from(values), [...shape]) : float32(values, [...shape]);
  }
  await source.close();
  const golden = await SafetensorsFile.open(path.join(folder, 'golden.safetensors'));
  const frozenTowers = trajectory.frozen_towers;
  const learning = { frozenTowers, learnTemperature: true };
  const trainable = trainableNames(model, dualEncoderSpecs(model), learning);
  const [beta1, beta2] = options.betas;
  const update = { beta1, beta2, epsilon: options.eps, weightDecay: options.wd, maxGradNorm: options.clip };
  const rateOf = (step: number) =>
    learningRate(
      { kind: options.schedule, peak: options.lr, warmupSteps: options.warmup, totalSteps: options.steps },
      step,
    );
  const { micro_batches_per_step: microBatches, batch_norm: batchNorm = 'evaluation' } = trajectory;
  return { log, model, weights, golden, frozenTowers, batchNorm, trainable, update, rateOf, microBatches };
}

/** Trains as the reference did; returns its log's numbers and the largest difference of final weights, by tensor. */
async function follow(folder: string, createRunner: Backend['createRunner'], lossScale?: LossScale) {
  const run = await openRun(folder);
  const { log, weights, golden, frozenTowers, trainable, update, rateOf, microBatches } = run;
  const program = contrastiveProgram(run.model, trainable, {
    ...update,
    frozenTowers,
    batchNorm: run.batchNorm,
  });
  const runner = createRunner(program, initialState(weights, trainable, microBatches > 1));
  const found = [];
  const tensorCounts = [];
  let scale = lossScale;
  for (const { step } of log) {
    const batches = [];
    for (let i = 0; i < microBatches; i++) batches.push(await readBatch(golden, step * microBatches + i));
    const options = { learningRate: rateOf(step), step, ...update, seed: 0 };
    let result = await trainStep(runner, batches, { ...options, lossScale: scale });
    // A step that overflows changes nothing: the same step is made again with a lower scale.
    while (scale && !Number.isFinite(result.gradientNorm)) {
      scale = { ...nextLossScale(scale, true), skipped: 0 };
      result = await trainStep(runner, batches, { ...options, lossScale: scale });
    }
    found.push(result);
    tensorCounts.push(tf.memory().numTensors);
  }
  const final = await runner.readState(Object.keys(weights));
  const differences: Record<string, number> = {};
  for (const name of golden.tensors.keys()) {
    if (!name.startsWith('final.')) continue;
    const expected = await golden.readFloat32(name);
    const own = final[name.slice('final.'.length)]!.data;
    differences[name] = expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - own[i]!)), 0);
  }
  await golden.close();
  runner.dispose();
  return { log, found, differences, tensorCounts };
}

/** The frozen run again, on features that the towers gave once. */
async function followOnFeatures(folder: string, createRunner: Backend['createRunner']) {
  const { log, model, weights, golden, trainable, update, rateOf } = await openRun(folder);
  const heads = Object.fromEntries(trainable.map((name) => [name, weights[name]!]));
  const towers = createRunner(featureProgram(model), weights);
  const head = createRunner(headProgram(model, trainable, update), initialState(heads, trainable, false));
  const losses = [];
  for (const { step } of log) {
    const { pixel_values, input_ids, attention_mask } = await readBatch(golden, step);
    const { image_features } = await towers.run.featuresOfImages({ pixel_values });
    const { text_features } = await towers.run.featuresOfTexts({ input_ids, attention_mask });
    const inputs = { image_features, text_features, seed: intScalar(0) };
    const { loss } = await head.run.stepOnFeatures({
      ...inputs,
      ...updateInputs(rateOf(step), step, update),
    });
    losses.push(numberOf(loss));
  }
  await golden.close();
  towers.dispose();
  head.dispose();
  return { expected: log.map(({ loss }) => loss), losses };
}

const RUNS = [
  'vit-roberta',
  'swin-roberta',
  'resnet-roberta',
  'vit-roberta-frozen',
  'vit-roberta-large-batch',
];
interface TestedBackend {
  name: string;
  backend: string;
  createRunner: Backend['createRunner'];
  runs: string[];
  /** With products in float16: the scale of the loss, and how far its numbers may lie from float32's. */
  mixed?: { lossScale: LossScale; tolerance: number };
}
const device = hasNativeAddon() ? await deviceRunners(await openComputeDevice({ kind: 'cpu' })) : undefined;
/** Op by op in plain JavaScript, one run is enough; it is the same program. */
const BACKENDS: TestedBackend[] = [
  { name: 'onnxruntime', backend: 'onnxruntime', createRunner: await replayedRunners(), runs: RUNS },
  // The path of CUDA, with main memory in the place of a GPU's.
  ...(device
    ? [
        { name: 'a device', backend: 'onnxruntime', createRunner: device, runs: RUNS },
        {
          name: 'a device, in mixed precision,',
          backend: 'onnxruntime',
          createRunner: ((program, state) => device(program, state, 'mixed')) as Backend['createRunner'],
          runs: ['vit-roberta', 'vit-roberta-large-batch', 'resnet-roberta'],
          mixed: { lossScale: INITIAL_LOSS_SCALE, tolerance: 1e-2 },
        },
      ]
    : []),
  {
    name: 'cpu',
    backend: 'cpu',
    createRunner: createEagerRunner,
    runs: ['vit-roberta-frozen'],
  },
  // Needs `npm run native:install`, which fetches hundreds of megabytes: left out where they are not installed.
  ...(isTfjsNodeInstalled
    ? [{ name: 'tfjs-node', backend: 'tfjs-node', createRunner: createEagerRunner, runs: RUNS }]
    : []),
];

/** The default follows every folder; the others, which run the same program, each run once: the project's own. */
const foldersOf = ({ name }: TestedBackend, runs: readonly string[]): string[] =>
  runs.flatMap((run) => {
    const found = ROOTS.map((root) => path.join(root, run)).filter(existsSync);
    return name === 'onnxruntime' ? found : found.slice(0, 1);
  });

/**
 * Attention does not depend on the bias of its keys (softmax ignores what all logits share), so its gradient is rounding
 * noise, from which AdamW makes steps of full length: each side drifts on its own, by at most the sum of the rates.
 */
const KEY_BIAS = /\.(?:key|k_proj)\.bias$/;
const largestDrift = (log: Trajectory['log']) => 2 * log.reduce((sum, { lr }) => sum + lr, 0);

describe.each(BACKENDS.filter(({ mixed }) => !mixed))(
  'training heads on cached features on $name',
  (tested) => {
    const { backend, createRunner } = tested;
    it.each(foldersOf(tested, ['vit-roberta-frozen']))(
      'follows the reference trajectory of frozen towers: %s',
      async (folder) => {
        await selectBackend(backend);
        const { expected, losses } = await followOnFeatures(folder, createRunner);
        expected.forEach((loss, step) => {
          expect(Math.abs(losses[step]! - loss), `loss of step ${step}`).toBeLessThanOrEqual(1e-4);
        });
      },
    );
  },
);

describe.each(BACKENDS)(
  'training on $name follows the reference trajectory (PyTorch, transformers)',
  (tested) => {
    const { backend, createRunner, runs, mixed } = tested;
    beforeAll(async () => {
      await selectBackend(backend);
    });

    it.each(foldersOf(tested, runs))('%s', async (folder) => {
      const { log, found, differences, tensorCounts } = await follow(folder, createRunner, mixed?.lossScale);
      const { tolerance } = mixed ?? {};
      log.forEach(({ loss, grad_norm, logit_scale }, step) => {
        const { gradientNorm } = found[step]!;
        expect(Math.abs(found[step]!.loss - loss), `loss of step ${step}`).toBeLessThanOrEqual(
          tolerance ?? 1e-4,
        );
        expect(
          Math.abs(gradientNorm - grad_norm) / grad_norm,
          `gradient norm of step ${step}`,
        ).toBeLessThanOrEqual(tolerance ?? 1e-3);
        expect(found[step]!.logitScale).toBeCloseTo(logit_scale, mixed ? 2 : 5);
      });
      for (const [name, difference] of Object.entries(differences)) {
        const drifts = mixed !== undefined || KEY_BIAS.test(name);
        expect(difference, name).toBeLessThanOrEqual(drifts ? largestDrift(log) : 1e-3);
      }
      expect(new Set(tensorCounts).size, 'tensors alive after each step').toBe(1);
    });
  },
);
