/** What the trainer adds to steps in float16: a loss scale that adapts and is part of the checkpoint. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createDualEncoder, dualEncoderSpecs, initWeights } from '@clip-ts/clip/model';
import {
  contrastiveProgram,
  float32,
  INITIAL_LOSS_SCALE,
  initialState,
  int32,
  momentNames,
  SMALLEST_LOSS_SCALE,
  trainableNames,
  type HostTensors,
} from '@clip-ts/clip/train';
import { hasNativeAddon, openComputeDevice } from 'tfjs-onnxruntime';
import { describe, expect, it } from 'vitest';
import { deviceRunners } from '../../backend/open-backend.js';
import { selectBackend } from '../../backend/select-backend.js';
import {
  freshState,
  readMoments,
  readTrainingState,
  writeTrainingState,
} from '../../checkpoint/training-state.js';
import { adaptLossScale } from './adapt-loss-scale.js';
import { trainStep } from './train-step.js';

const TOWER = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
const MODEL = createDualEncoder({
  model_type: 'vision-text-dual-encoder',
  vision_config: { model_type: 'vit', ...TOWER, image_size: 8, patch_size: 4 },
  text_config: { model_type: 'bert', ...TOWER, vocab_size: 20, max_position_embeddings: 8 },
  projection_dim: 4,
  logit_scale_init_value: 2.6592,
});
const SPECS = dualEncoderSpecs(MODEL).filter(({ dtype }) => dtype !== 'int64');
const TRAINABLE = trainableNames(MODEL, SPECS, { frozenTowers: false, learnTemperature: true });
const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
const PROGRAM = contrastiveProgram(MODEL, TRAINABLE, {
  ...ADAMW,
  maxGradNorm: 1,
  frozenTowers: false,
  batchNorm: 'evaluation',
});
const WEIGHTS = initWeights(SPECS, 1);
const batchAt = (step: number) => ({
  pixel_values: float32(
    Float32Array.from({ length: 4 * 3 * 8 * 8 }, (_, i) => Math.sin(i + step)),
    [4, 3, 8, 8],
  ),
  input_ids: int32(
    Int32Array.from({ length: 4 * 5 }, (_, i) => (i * 7 + step) % 20),
    [4, 5],
  ),
  attention_mask: int32(new Int32Array(4 * 5).fill(1), [4, 5]),
});

describe.skipIf(!hasNativeAddon())('training in mixed precision', () => {
  it('resumes from a checkpoint as if it had not been interrupted, skipped steps included', async () => {
    await selectBackend('onnxruntime');
    const createRunner = await deviceRunners(await openComputeDevice({ kind: 'cpu' }));
    const folder = await mkdtemp(path.join(tmpdir(), 'mixed-precision-'));
    const log: string[] = [];
    /** Steps from a state on; a checkpoint is written before step `saveAt`. */
    const steps = async (
      from: number,
      to: number,
      start: { moments?: HostTensors; weights: HostTensors },
      first = INITIAL_LOSS_SCALE,
      saveAt?: number,
    ) => {
      const state = initialState(start.weights, TRAINABLE, false, start.moments);
      const runner = createRunner(PROGRAM, state, 'mixed');
      let lossScale = first;
      let weights: HostTensors = {};
      const results = [];
      for (let step = from; step < to; step++) {
        if (step === saveAt) {
          const moments = await runner.readState(momentNames(TRAINABLE));
          weights = await runner.readState(Object.keys(WEIGHTS));
          await writeTrainingState(folder, { ...freshState({}), lossScale }, moments);
        }
        const options = { learningRate: 1e-3, step, ...ADAMW, seed: 1, lossScale };
        const result = await trainStep(runner, [batchAt(step)], options);
        lossScale = adaptLossScale(lossScale, step, result, (line) => log.push(line));
        results.push(result);
      }
      runner.dispose();
      return { results, weights, lossScale };
    };
    try {
      // So high that the first steps overflow.
      const whole = await steps(0, 8, { weights: WEIGHTS }, { ...INITIAL_LOSS_SCALE, scale: 2 ** 8 }, 6);
      expect(whole.lossScale.skipped).toBeLessThan(6);
      expect(log[0]).toMatch(/^step 0: gradients overflowed float16; .* the loss scale is 128 now$/);
      const saved = (await readTrainingState(folder))!;
      expect(saved.lossScale.skipped).toBe(whole.lossScale.skipped);
      const moments = await readMoments(folder);
      const resumed = await steps(6, 8, { weights: whole.weights, moments }, saved.lossScale);
      expect(resumed.results).toEqual(whole.results.slice(6));
      expect(resumed.lossScale).toEqual(whole.lossScale);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('ends where gradients are not finite at any scale', () => {
    const last = { scale: SMALLEST_LOSS_SCALE, steps: 3, skipped: 26 };
    expect(() => adaptLossScale(last, 12, { gradientNorm: NaN }, () => undefined)).toThrow(
      'the gradients of step 12 are not finite in float16 even at a loss scale of 0.0009765625',
    );
    expect(adaptLossScale(last, 12, { gradientNorm: 1 }, () => undefined).steps).toBe(4);
  });
});
