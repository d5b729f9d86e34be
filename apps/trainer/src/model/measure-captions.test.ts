import type { Tokenizer } from '@clip-ts/clip';
import { describe, expect, it } from 'vitest';
import { measureCaptions, quantile, tokenizeTexts, truncateTexts } from './measure-captions.js';

/** One token a letter, capitals unknown, with a start and an end token. */
const letters = {
  unknownTokenId: 3,
  tokenIds: (text: string, { maxLength = Infinity } = {}) => [
    0,
    ...[...text].slice(0, maxLength - 2).map((letter) => (letter < 'a' ? 3 : 4)),
    2,
  ],
} as unknown as Tokenizer;

describe('the measures of captions', () => {
  it('are lengths with special tokens, truncated, and the fraction that is unknown', () => {
    const tokens = tokenizeTexts(['ab', 'ABCDEFGH', ''], letters, 6);
    const { lengths, unknown } = measureCaptions(tokens, 3);
    expect([...lengths]).toEqual([4, 6, 2]);
    expect(unknown).toBeCloseTo(4 / 12);
    expect(measureCaptions(tokenizeTexts([], letters, 6), 3).unknown).toBe(0);
  });

  it('give, truncated once more, the tokens that the texts have when truncated at once', () => {
    const texts = ['ab', 'ABCDEFGH'.repeat(9), '', 'abcde'];
    const whole = tokenizeTexts(texts, letters, 40);
    expect(truncateTexts(texts, whole, letters, 6)).toEqual(tokenizeTexts(texts, letters, 6));
    expect(truncateTexts(texts, whole, letters, 40)).toBe(whole);
  });

  it('have quantiles as numpy.percentile computes them', () => {
    // numpy.percentile([7, 1, 2, 5], [0, 50, 99.5, 100]) → [1, 3.5, 6.97, 7]
    expect([0, 0.5, 0.995, 1].map((fraction) => quantile([7, 1, 2, 5], fraction))).toEqual([
      1,
      3.5,
      expect.closeTo(6.97, 10),
      7,
    ]);
    expect(quantile([9], 0.995)).toBe(9);
  });
});
