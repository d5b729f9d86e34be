import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { contrastiveLoss } from './loss.js';

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
