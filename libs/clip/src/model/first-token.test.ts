/** A tower that computes its last block for the first token alone gives the same features and gradients. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradients } from '../train/gradients.js';
import { toTensors } from '../train/host-tensor.js';
import { firstToken } from './ops/index.js';
import { createTextTower, createVisionTower } from './registry.js';
import { createContext } from './context.js';
import type { Tower } from './tower.js';
import { initWeights } from './weights/initialize.js';

const bertLike = {
  vocab_size: 20,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 12,
};
const vitLike = {
  image_size: 8,
  patch_size: 4,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
};
const VISION = [
  { model_type: 'vit', ...vitLike, intermediate_size: 12 },
  { model_type: 'deit', ...vitLike, intermediate_size: 12 },
  { model_type: 'dinov2', ...vitLike, mlp_ratio: 2 },
  { model_type: 'clip_vision_model', ...vitLike, intermediate_size: 12 },
];
const TEXT = [
  { model_type: 'bert', ...bertLike },
  { model_type: 'roberta', ...bertLike },
  { model_type: 'mpnet', ...bertLike },
  {
    model_type: 'distilbert',
    vocab_size: 20,
    dim: 8,
    n_layers: 2,
    n_heads: 2,
    hidden_dim: 12,
    max_position_embeddings: 12,
  },
];

const numbers = (shape: number[]) =>
  tf.tensor(
    Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(1.7 * i)),
    shape,
  );

function featuresAndGradients<Inputs>(
  tower: Tower<Inputs>,
  inputs: Inputs,
  outputPositions: 'all' | 'first',
) {
  const weights = toTensors(initWeights(tower.specs, 7));
  const names = tower.specs.filter(({ trainable }) => trainable).map(({ name }) => name);
  const shapes: Record<string, number[]> = {};
  const { value, gradients } = valueAndGradients(
    (current) => {
      const output = tower.forward(current, inputs, createContext({ outputPositions }));
      const features = output.pooler_output ?? firstToken(output.last_hidden_state);
      shapes.last_hidden_state = output.last_hidden_state.shape;
      return tf.sum(tf.mul(features, numbers(features.shape)));
    },
    weights,
    names,
  );
  const grads = Object.entries(gradients).map(([name, grad]) => [name, [...grad.dataSync()]] as const);
  return { value: value.dataSync()[0]!, grads: new Map(grads), tokens: shapes.last_hidden_state![1] };
}

function compare<Inputs>(tower: Tower<Inputs>, inputs: Inputs): void {
  const whole = featuresAndGradients(tower, inputs, 'all');
  const first = featuresAndGradients(tower, inputs, 'first');
  expect(whole.tokens).toBeGreaterThan(1);
  expect(first.tokens).toBe(1);
  expect(first.value).toBeCloseTo(whole.value, 5);
  expect([...first.grads.keys()]).toEqual([...whole.grads.keys()]);
  for (const [name, expected] of whole.grads) {
    const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    first.grads.get(name)!.forEach((found, i) => {
      expect(found / scale, `${name}, element ${i}`).toBeCloseTo(expected[i]! / scale, 5);
    });
  }
}

describe('a tower of which only the first token is read', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  it.each(VISION)('$model_type gives the same features and gradients', (config) => {
    compare(createVisionTower(config), { pixel_values: numbers([2, 3, 8, 8]) });
  });

  it.each(TEXT)('$model_type gives the same features and gradients', (config) => {
    const input_ids = tf.tensor2d([5, 6, 7, 8, 9, 10, 11, 1, 1, 1], [2, 5], 'int32');
    const attention_mask = tf.tensor2d([1, 1, 1, 1, 1, 1, 1, 0, 0, 0], [2, 5], 'int32');
    compare(createTextTower(config), { input_ids, attention_mask });
  });
});
