import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-onnxruntime';
import { describe, expect, it } from 'vitest';
import { createContext, type ForwardContext } from '../context.js';
import type { TextInputs, VisionInputs } from '../tower.js';
import { createTextTower, createVisionTower } from '../registry.js';
import { initWeights } from '../weights/initialize.js';
import { toTensors } from '../../train/host-tensor.js';
import { dropout, dropPath, dropPathRates } from './dropout.js';

const training = (seed: number) => createContext({ training: true, seed: tf.scalar(seed, 'int32') });

describe.each(['cpu', 'onnxruntime'])('dropout on the backend %s', (backend) => {
  const on = async (run: () => tf.Tensor): Promise<Float32Array> => {
    await tf.setBackend(backend);
    return (await tf.tidy(run).data()) as Float32Array;
  };
  const ones = () => tf.ones([100, 100]);

  it('keeps the share it should and the mean', async () => {
    const values = await on(() => dropout(ones(), 0.3, training(7)));
    const kept = values.filter((value) => value !== 0);
    expect(kept.length / values.length).toBeCloseTo(0.7, 1);
    expect(kept[0]).toBeCloseTo(1 / 0.7, 5);
  });

  it('gives the same mask for the same seed, and others for another seed or call', async () => {
    const twice = (ctx: ForwardContext) => tf.stack([dropout(ones(), 0.5, ctx), dropout(ones(), 0.5, ctx)]);
    const first = await on(() => twice(training(1)));
    expect(await on(() => twice(training(1)))).toEqual(first);
    expect(await on(() => twice(training(2)))).not.toEqual(first);
    expect(first.slice(0, 10000)).not.toEqual(first.slice(10000));
  });

  it('masks of neighbouring steps are not copies of each other', async () => {
    const [a, b] = [
      await on(() => dropout(ones(), 0.5, training(10))),
      await on(() => dropout(ones(), 0.5, training(11))),
    ];
    const agree = a.filter((value, i) => (value === 0) === (b[i] === 0)).length / a.length;
    expect(agree).toBeCloseTo(0.5, 1);
  });

  it('drop path drops whole samples', async () => {
    const values = await on(() => dropPath(tf.ones([2000, 2, 3]), 0.4, training(3)));
    const samples = Array.from({ length: 2000 }, (_, i) => [...values.slice(6 * i, 6 * i + 6)]);
    expect(samples.every((sample) => new Set(sample).size === 1)).toBe(true);
    expect(samples.filter((sample) => sample[0] === 0).length / 2000).toBeCloseTo(0.4, 1);
  });

  it('leaves everything as it is in evaluation', async () => {
    expect(await on(() => dropout(ones(), 0.9, createContext()))).toEqual(new Float32Array(10000).fill(1));
  });
});

it('drop path rates rise evenly from 0 to the rate', () => {
  expect(dropPathRates(0.3, [1, 3]).flat()).toEqual(
    [0, 0.1, 0.2, 0.3].map((rate) => expect.closeTo(rate, 10) as number),
  );
  expect(dropPathRates(0.3, [1])).toEqual([[0]]);
});

describe('towers in training', () => {
  const common = { hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 12 };
  const rates = { hidden_dropout_prob: 0.2, attention_probs_dropout_prob: 0.2 };
  const pixels = (side: number): VisionInputs => ({
    pixel_values: tf.randomNormal([2, 3, side, side], 0, 1, 'float32', 1),
  });
  const tokens: TextInputs = {
    input_ids: tf.tensor2d([[4, 5, 6, 7], [6, 4, 8, 9]], [2, 4], 'int32'), // prettier-ignore
    attention_mask: tf.ones([2, 4], 'int32'),
  };
  const texts = { ...common, vocab_size: 12, max_position_embeddings: 8 };
  const swin = {
    image_size: 16,
    patch_size: 2,
    embed_dim: 4,
    depths: [2, 2],
    num_heads: [1, 2],
    window_size: 2,
  };
  const distil = {
    vocab_size: 12,
    dim: 8,
    n_layers: 1,
    n_heads: 2,
    hidden_dim: 8,
    max_position_embeddings: 8,
  };

  it.each([
    ['vit', { ...common, ...rates, image_size: 8, patch_size: 4 }, 8],
    ['deit', { ...common, attention_probs_dropout_prob: 0.2, image_size: 8, patch_size: 4 }, 8],
    [
      'dinov2',
      {
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        image_size: 8,
        patch_size: 4,
        drop_path_rate: 0.5,
      },
      8,
    ],
    ['swin', { ...swin, drop_path_rate: 0.5 }, 16],
    [
      'convnext',
      { num_stages: 2, hidden_sizes: [4, 6], depths: [1, 1], drop_path_rate: 0.5, layer_scale_init_value: 1 },
      16,
    ],
    ['clip_vision_model', { ...common, image_size: 8, patch_size: 4, attention_dropout: 0.3 }, 8],
    ['siglip_vision_model', { ...common, image_size: 8, patch_size: 4, attention_dropout: 0.3 }, 8],
    ['bert', { ...texts, ...rates }, undefined],
    ['roberta', { ...texts, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0.3 }, undefined],
    ['mpnet', { ...texts, hidden_dropout_prob: 0.3, attention_probs_dropout_prob: 0 }, undefined],
    ['distilbert', { ...distil, dropout: 0.3, attention_dropout: 0.2 }, undefined],
    ['clip_text_model', { ...texts, attention_dropout: 0.3 }, undefined],
    ['siglip_text_model', { ...texts, attention_dropout: 0.3 }, undefined],
  ])('%s drops by seed in training and not in evaluation', async (model_type, options, side) => {
    await tf.setBackend('cpu');
    const json = { model_type, ...options };
    const tower = side === undefined ? createTextTower(json) : createVisionTower(json);
    const drawn = toTensors(initWeights(tower.specs, 1));
    const weights = Object.fromEntries(
      Object.entries(drawn).map(([name, tensor]) => [name, tf.mul(tensor, 10)]),
    );
    const inputs = { ...tokens, ...(side === undefined ? {} : pixels(side)) } as TextInputs & VisionInputs;
    const run = (ctx: ForwardContext) => tower.forward(weights, inputs, ctx).last_hidden_state.dataSync();
    const [first, again] = [run(training(1)), run(training(1))];
    expect(again).toEqual(first);
    const others = [2, 3, 4, 5].map((seed) => run(training(seed)));
    expect(others.some((other) => other.some((value, i) => value !== first[i]))).toBe(true);
    expect(run(createContext())).toEqual(run(createContext({ seed: tf.scalar(3, 'int32') })));
  });
});
