import type { Tokenizer } from '@clip-ts/clip';
import { describe, expect, it } from 'vitest';
import { captionBatch, paddedToOneLength, tokenizeCaptions } from './caption-store.js';

/** One token a letter, its place in the alphabet. */
const letters = {
  padTokenId: 0,
  tokenIds: (text: string, { maxLength = Infinity }: { maxLength?: number } = {}) =>
    [...text].slice(0, maxLength).map((letter) => letter.charCodeAt(0) - 96),
} as unknown as Tokenizer;

describe('captions', () => {
  it('keeps the captions of each image together, cut to the limit', () => {
    const store = tokenizeCaptions([['ab', 'c'], ['defg']], letters, { maxLength: 3, minLength: 1 });
    expect([...store.first]).toEqual([0, 2, 3]);
    expect([...store.ids]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...store.starts]).toEqual([0, 2, 3, 6]);
  });

  it('pads a batch to a multiple of 8 tokens, within the limit', () => {
    const captions = [['ab'], ['a'.repeat(9)]];
    const shape = (limit: number, chosen: number[]) =>
      captionBatch(tokenizeCaptions(captions, letters, { maxLength: limit, minLength: 1 }), chosen).input_ids
        .shape;
    expect(shape(20, [0])).toEqual([1, 8]);
    expect(shape(20, [0, 1])).toEqual([2, 16]);
    expect(shape(10, [1])).toEqual([1, 10]);
  });

  it('pads every batch to the longest caption where batches share no memory', () => {
    const captions = [['ab'], ['a'.repeat(12)], ['a'.repeat(40)]];
    const store = tokenizeCaptions(captions, letters, { maxLength: 20, minLength: 1 });
    const shapes = [[0], [1], [0, 2]].map((chosen) => captionBatch(paddedToOneLength(store), chosen));
    expect(shapes.map(({ input_ids }) => input_ids.shape[1])).toEqual([20, 20, 20]);
    expect(shapes[0]!.attention_mask.data.slice(0, 4)).toEqual(Int32Array.of(1, 1, 0, 0));
  });

  it('pads to the full length where the text tower reads its padding', () => {
    const store = tokenizeCaptions([['ab']], letters, { maxLength: 20, minLength: 20 });
    const { input_ids, attention_mask } = captionBatch(store, [0]);
    expect(input_ids.shape).toEqual([1, 20]);
    expect([...attention_mask.data]).toEqual([1, 1, ...Array<number>(18).fill(0)]);
  });
});
