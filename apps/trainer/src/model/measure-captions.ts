/** How a tokenizer sees the captions of a corpus: their lengths, and how much of them it does not know. */
import type { Tokenizer } from '@clip-ts/clip';

export interface CaptionMeasures {
  /** Tokens of each caption, special tokens included; [C]. */
  lengths: Int32Array;
  /** Fraction of the tokens, special ones included, that stand for something unknown. */
  unknown: number;
}

/** @param maxLength captions are truncated to this many tokens */
export function measureCaptions(
  captions: readonly string[],
  tokenizer: Tokenizer,
  maxLength: number,
): CaptionMeasures {
  const lengths = new Int32Array(captions.length);
  let [tokens, unknown] = [0, 0];
  captions.forEach((caption, c) => {
    const ids = tokenizer.tokenIds(caption, { maxLength });
    lengths[c] = ids.length;
    tokens += ids.length;
    for (const id of ids) if (id === tokenizer.unknownTokenId) unknown++;
  });
  return { lengths, unknown: tokens === 0 ? 0 : unknown / tokens };
}

/** The value below which a fraction of the values lies, interpolated as numpy.percentile does. */
export function quantile(values: ArrayLike<number>, fraction: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}
