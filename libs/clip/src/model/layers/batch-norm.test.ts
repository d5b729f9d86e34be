import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { toTensors } from '../../train/host-tensor.js';
import { createDualEncoder, dualEncoderSpecs, encodeImages } from '../dual-encoder.js';
import { createVisionTower } from '../registry.js';
import { createContext, type ForwardContext } from '../context.js';
import { initWeights } from '../weights/initialize.js';
import { assertBatchNormTrainable, batchNorm } from './batch-norm.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const resnet = { model_type: 'resnet', embedding_size: 4, hidden_sizes: [4], depths: [1] };
const weights = () => ({
  'n.weight': tf.tensor([2]),
  'n.bias': tf.tensor([1]),
  'n.running_mean': tf.tensor([0]),
  'n.running_var': tf.tensor([4]),
  'n.num_batches_tracked': tf.scalar(6, 'int32'),
});
/** A batch norm of one channel under the name n. */
const normed = (values: number[][], ctx: ForwardContext) =>
  batchNorm(1, { epsilon: 0, momentum: 0.1 }).bind(weights(), 'n').normalize(tf.tensor2d(values), ctx);

describe('batch norm', () => {
  it('uses the running statistics unless asked otherwise', () => {
    const ctx = createContext({ training: true, seed: tf.scalar(1, 'int32') });
    expect([...normed([[2], [4]], ctx).dataSync()]).toEqual([3, 5]);
    expect(ctx.statistics).toEqual({});
  });

  it("uses the batch's in training mode and reports new running ones, the variance unbiased", () => {
    const ctx = createContext({ batchNorm: 'training' });
    expect([...normed([[2], [4]], ctx).dataSync()]).toEqual([-1, 3]);
    expect(ctx.statistics['n.running_mean']!.dataSync()[0]).toBeCloseTo(0.3, 6);
    expect(ctx.statistics['n.running_var']!.dataSync()[0]).toBeCloseTo(0.9 * 4 + 0.1 * 2, 6);
    const batches = ctx.statistics['n.num_batches_tracked']!;
    expect([batches.dtype, batches.dataSync()[0]]).toEqual(['int32', 7]);
  });

  it('of a frozen tower keeps its statistics and its count', () => {
    const text_config = {
      model_type: 'roberta',
      hidden_size: 4,
      num_hidden_layers: 1,
      num_attention_heads: 1,
    };
    const model = createDualEncoder({
      model_type: 'vision-text-dual-encoder',
      vision_config: resnet,
      text_config: { ...text_config, intermediate_size: 4, vocab_size: 8 },
      projection_dim: 4,
    });
    const tensors = toTensors(initWeights(dualEncoderSpecs(model), 1));
    const statisticsOf = (frozenTowers: boolean) => {
      const seed = tf.scalar(1, 'int32');
      const ctx = createContext({ training: true, seed, batchNorm: 'training', frozenTowers });
      encodeImages(model, tensors, tf.ones([2, 3, 8, 8]), ctx);
      return Object.keys(ctx.statistics);
    };
    expect(statisticsOf(true)).toEqual([]);
    expect(statisticsOf(false)).toContain('vision_model.embedder.embedder.normalization.num_batches_tracked');
  });

  it('the momentum can be set for fine-tuning', () => {
    const ctx = createContext({ batchNorm: 'training', batchNormMomentum: 0.5 });
    normed([[2], [4]], ctx);
    expect(ctx.statistics['n.running_mean']!.dataSync()[0]).toBeCloseTo(1.5, 6);
  });

  it('fresh statistics may train; folded ones are refused with the reason', () => {
    const tensors = initWeights(createVisionTower(resnet).specs, 1);
    expect(() => assertBatchNormTrainable(tensors)).not.toThrow();
    const variance = 'embedder.embedder.normalization.running_var';
    const folded = {
      ...tensors,
      [variance]: { ...tensors[variance]!, data: new Float32Array(4).fill(1 - 1e-5) },
    };
    expect(() => assertBatchNormTrainable(folded)).toThrow(/1 layers \(embedder\.embedder.*folded/);
  });
});
