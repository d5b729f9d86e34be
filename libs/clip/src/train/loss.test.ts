import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-onnxruntime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOLDEN } from '../../test/golden-folders.js';
import { readSections, toTensor, worstDifference } from '../../test/parity/golden.js';
import { valueAndGradients } from './gradients.js';
import { chanceLoss, contrastiveLoss, lossOf, sigmoidLoss, type LossOptions } from './loss.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('the contrastive loss', () => {
  it('is ln N when nothing tells the pairs apart', () => {
    const same = tf.tensor2d([
      [1, 0],
      [1, 0],
      [1, 0],
    ]);
    expect(contrastiveLoss(same, same, tf.scalar(2)).loss.dataSync()[0]).toBeCloseTo(Math.log(3), 5);
  });

  it('is the mean of the two cross-entropies on a case done by hand', () => {
    const images = tf.tensor2d([
      [1, 0],
      [0, 1],
    ]);
    const texts = tf.tensor2d([
      [1, 0],
      [0.6, 0.8],
    ]);
    const { loss, logits_per_text } = contrastiveLoss(images, texts, tf.scalar(Math.log(2)));
    expect(
      logits_per_text
        .arraySync()
        .flat()
        .map((x) => Math.round(x * 1e6) / 1e6),
    ).toEqual([2, 0, 1.2, 1.6]);
    const ce = (row: number[], target: number) =>
      Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[target]!;
    const byText = (ce([2, 0], 0) + ce([1.2, 1.6], 1)) / 2;
    const byImage = (ce([2, 1.2], 0) + ce([0, 1.6], 1)) / 2;
    expect(loss.dataSync()[0]).toBeCloseTo((byText + byImage) / 2, 5);
  });

  it('does not overflow at the largest temperature', () => {
    const eye = tf.eye(4);
    expect(contrastiveLoss(eye, eye, tf.scalar(Math.log(100))).loss.dataSync()[0]).toBeCloseTo(0, 5);
  });

  it('without a temperature takes the cosines as they are', () => {
    const eye = tf.eye(2);
    const { loss, logits_per_text } = contrastiveLoss(eye, eye);
    expect(logits_per_text.arraySync()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(loss.dataSync()[0]).toBeCloseTo(Math.log(Math.E + 1) - 1, 5);
  });
});

describe('the sigmoid loss', () => {
  it('judges each pair by itself, on a case done by hand', () => {
    const images = tf.eye(2);
    const texts = tf.tensor2d([
      [1, 0],
      [0.6, 0.8],
    ]);
    const { loss, logits_per_text } = sigmoidLoss(images, texts, tf.scalar(Math.log(2)), tf.scalar(-1));
    const logits = [
      [1, -1],
      [0.2, 0.6],
    ] as const;
    logits.flat().forEach((x, i) => expect(logits_per_text.dataSync()[i]).toBeCloseTo(x, 5));
    const softplus = (x: number) => Math.log(1 + Math.exp(x));
    const sum = softplus(-1) + softplus(-1) + softplus(0.2) + softplus(-0.6);
    expect(loss.dataSync()[0]).toBeCloseTo(sum / 2, 5);
  });

  it('stays finite where every logit is at its extreme', () => {
    const eye = tf.eye(3);
    const far = sigmoidLoss(eye, tf.neg(eye), tf.scalar(Math.log(100)), tf.scalar(50)).loss.dataSync()[0]!;
    expect(far).toBeCloseTo(50 + 2 * 50, 3);
  });
});

describe('the loss of a model that knows nothing', () => {
  it.each([1, 2, 7, 128])('is that of %i equal embeddings', (N) => {
    const same = tf.tensor2d(Array.from({ length: N }, () => [1, 0]));
    const softmax = contrastiveLoss(same, same, tf.scalar(1)).loss.dataSync()[0]!;
    expect(chanceLoss('softmax', N)).toBeCloseTo(softmax, 4);
    if (N === 1) return;
    // The best that a constant logit can do: probability 1/N, logit −ln(N − 1).
    const bias = tf.scalar(-Math.log(N - 1) - 1);
    const sigmoid = sigmoidLoss(same, same, tf.scalar(0), bias).loss.dataSync()[0]!;
    expect(chanceLoss('sigmoid', N)).toBeCloseTo(sigmoid, 4);
  });
});

describe.each(['cpu', 'onnxruntime'])('each loss on %s', (backend) => {
  beforeAll(() => tf.setBackend(backend));
  afterAll(() => tf.setBackend('cpu'));

  const LOSSES: [name: string, options: LossOptions][] = [
    ['softmax', { kind: 'softmax' }],
    ['smoothed', { kind: 'softmax', labelSmoothing: 0.2 }],
    ['sigmoid', { kind: 'sigmoid' }],
  ];

  it.each(LOSSES)("%s: PyTorch's value and gradients", async (name, options) => {
    const sections = await readSections(join(GOLDEN, 'losses/golden.safetensors'), [
      'input',
      `${name}.grad`,
      name,
    ]);
    const inputs = Object.fromEntries([...sections.input!].map(([key, value]) => [key, toTensor(value)]));
    const expected = sections[`${name}.grad`]!;
    const { value, gradients } = valueAndGradients(
      (x) => lossOf(options, x.image_embeds!, x.text_embeds!, x),
      inputs,
      [...expected.keys()],
    );
    expect((await value.data())[0]).toBeCloseTo(sections[name]!.get('loss')!.data[0]!, 5);
    const found = new Map<string, ArrayLike<number>>();
    for (const [key, gradient] of Object.entries(gradients)) found.set(key, await gradient.data());
    expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
    expect(worstDifference(found, expected, 0).value).toBeLessThan(1e-5);
    expect(expected.size).toBe(name === 'sigmoid' ? 4 : 3);
  });
});
