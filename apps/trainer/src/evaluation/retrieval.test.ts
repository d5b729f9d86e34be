import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-onnxruntime';
import { beforeAll, describe, expect, it } from 'vitest';
import { recallOf, retrievalRanks, retrievalRecall } from './retrieval.js';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

/** The project's own golden data, and that of CLIP_TEST_DATA where there is any. */
const FILES = [process.env.CLIP_GOLDEN!, path.join(process.env.CLIP_TEST_DATA ?? '', 'golden')]
  .map((root) => path.join(root, 'metrics/retrieval.json'))
  .filter((file) => existsSync(file));

interface Case {
  name: string;
  caption_owner: number[];
  scores_text_by_image: number[][];
  text_to_image: Record<string, number>;
  image_to_text: Record<string, number>;
}

const rows = (...values: number[][]) => values.map((row) => Float32Array.from(row));

const rowsOf = (scores: readonly number[][]) => (from: number, to: number) =>
  Float32Array.from(scores.slice(from, to).flat());

describe('retrieval recall', () => {
  it('is 1 when every caption is nearest to its own image', async () => {
    const images = rows([1, 0], [0, 1]);
    const texts = rows([1, 0], [0.9, 0.1], [0, 1]);
    const result = await retrievalRecall(images, texts, [0, 0, 1]);
    expect(result.text_to_image).toEqual({ r1: 1, r5: 1, r10: 1 });
    expect(result.image_to_text).toEqual({ r1: 1, r5: 1, r10: 1 });
    expect([result.images, result.captions]).toEqual([2, 3]);
  });

  it('counts ties against the model', async () => {
    const { textToImage, imageToText } = await retrievalRanks([0, 1], 2, () => new Float32Array(4).fill(0.5));
    expect([...textToImage]).toEqual([1, 1]);
    expect([...imageToText]).toEqual([1, 1]);
  });

  it('finds the same ties in the last part of the captions as in the first', async () => {
    // All captions are alike for images that are all alike: no query has its own in first place.
    const one = Float32Array.from({ length: 37 }, (_, e) => Math.sin(e + 1) / 4.3);
    const many = Array<Float32Array>(301).fill(one);
    const { text_to_image, image_to_text } = await retrievalRecall(many, many, Int32Array.from(many.keys()));
    expect([text_to_image.r10, image_to_text.r10]).toEqual([0, 0]);
  });

  it('takes the best of an image’s captions', async () => {
    const scores = [
      [0.1, 0.9],
      [0.8, 0.2],
      [0.3, 0.7],
    ];
    const { imageToText } = await retrievalRanks([0, 0, 1], 2, rowsOf(scores));
    expect([...imageToText]).toEqual([0, 1]);
  });

  it.each(FILES)(
    'equals the reference on one, five and varying captions per image, and with ties: %s',
    async (file) => {
      const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };
      expect(cases.length).toBeGreaterThan(3);
      for (const { caption_owner, scores_text_by_image, text_to_image, image_to_text } of cases) {
        const ranks = await retrievalRanks(
          caption_owner,
          scores_text_by_image[0]!.length,
          rowsOf(scores_text_by_image),
        );
        for (const [found, expected] of [
          [ranks.textToImage, text_to_image],
          [ranks.imageToText, image_to_text],
        ] as const) {
          const { r1, r5, r10 } = recallOf(found);
          expect(r1).toBeCloseTo(expected['R@1']!, 10);
          expect(r5).toBeCloseTo(expected['R@5']!, 10);
          expect(r10).toBeCloseTo(expected['R@10']!, 10);
          expect(found.reduce((sum, rank) => sum + rank + 1, 0) / found.length).toBeCloseTo(
            expected.mean_rank!,
            10,
          );
        }
      }
    },
  );
});
