import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { recallOf, retrievalRanks, retrievalRecall } from './retrieval.js';

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

describe('retrieval recall', () => {
  it('is 1 when every caption is nearest to its own image', () => {
    const images = rows([1, 0], [0, 1]);
    const texts = rows([1, 0], [0.9, 0.1], [0, 1]);
    const result = retrievalRecall(images, texts, [0, 0, 1]);
    expect(result.text_to_image).toEqual({ r1: 1, r5: 1, r10: 1 });
    expect(result.image_to_text).toEqual({ r1: 1, r5: 1, r10: 1 });
    expect([result.images, result.captions]).toEqual([2, 3]);
  });

  it('counts ties against the model', () => {
    const { textToImage, imageToText } = retrievalRanks([0, 1], 2, () => 0.5);
    expect([...textToImage]).toEqual([1, 1]);
    expect([...imageToText]).toEqual([1, 1]);
  });

  it('takes the best of an image’s captions', () => {
    const scores = [
      [0.1, 0.9],
      [0.8, 0.2],
      [0.3, 0.7],
    ];
    const { imageToText } = retrievalRanks([0, 0, 1], 2, (c, n) => scores[c]![n]!);
    expect([...imageToText]).toEqual([0, 1]);
  });

  it.each(FILES)(
    'equals the reference on one, five and varying captions per image, and with ties: %s',
    (file) => {
      const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };
      expect(cases.length).toBeGreaterThan(3);
      for (const { caption_owner, scores_text_by_image, text_to_image, image_to_text } of cases) {
        const ranks = retrievalRanks(
          caption_owner,
          scores_text_by_image[0]!.length,
          (c, n) => scores_text_by_image[c]![n]!,
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
