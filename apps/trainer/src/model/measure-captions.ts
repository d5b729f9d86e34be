/** How a tokenizer sees the captions of a corpus: their tokens, their lengths, and how much of them it does not know. */
import type { Tokenizer } from '@clip-ts/clip';

/** Tokens of texts, special tokens included, one text after the other. */
export interface TokenizedTexts {
  ids: Int32Array;
  /** Start of each text in `ids`; [C + 1]. */
  starts: Int32Array;
  /** Texts are truncated to this many tokens. */
  maxLength: number;
}

/** Tokens that most captions have at most; the room for them grows when it does not do. */
const USUAL_TOKENS = 16;

/** @param maxLength texts are truncated to this many tokens */
export function tokenizeTexts(
  texts: readonly string[],
  tokenizer: Tokenizer,
  maxLength: number,
): TokenizedTexts {
  const tokens = emptyTokens(texts.length, maxLength);
  texts.forEach((text, c) => {
    append(tokens, c, tokenizer.tokenIds(text, { maxLength }));
  });
  return trimmed(tokens);
}

/** The same texts truncated to fewer tokens: what is short enough is taken as it is. @param texts those of `whole` */
export function truncateTexts(
  texts: readonly string[],
  whole: TokenizedTexts,
  tokenizer: Tokenizer,
  maxLength: number,
): TokenizedTexts {
  if (maxLength === whole.maxLength) return whole;
  const tokens = emptyTokens(texts.length, maxLength);
  texts.forEach((text, c) => {
    const own = whole.ids.subarray(whole.starts[c], whole.starts[c + 1]);
    append(tokens, c, own.length <= maxLength ? own : tokenizer.tokenIds(text, { maxLength }));
  });
  return trimmed(tokens);
}

const emptyTokens = (count: number, maxLength: number): TokenizedTexts => ({
  ids: new Int32Array(count * Math.min(USUAL_TOKENS, maxLength)),
  starts: new Int32Array(count + 1),
  maxLength,
});

function append(tokens: TokenizedTexts, index: number, own: ArrayLike<number>): void {
  const start = tokens.starts[index]!;
  const end = start + own.length;
  if (end > tokens.ids.length) {
    const larger = new Int32Array(2 * end);
    larger.set(tokens.ids);
    tokens.ids = larger;
  }
  tokens.ids.set(own, start);
  tokens.starts[index + 1] = end;
}

const trimmed = ({ ids, starts, maxLength }: TokenizedTexts): TokenizedTexts => ({
  ids: ids.slice(0, starts.at(-1)),
  starts,
  maxLength,
});

export interface CaptionMeasures {
  /** Tokens of each caption, special tokens included; [C]. */
  lengths: Int32Array;
  /** Fraction of the tokens, special ones included, that stand for something unknown. */
  unknown: number;
}

export function measureCaptions(
  { ids, starts }: TokenizedTexts,
  unknownTokenId: number | undefined,
): CaptionMeasures {
  const unknown = ids.reduce((count, id) => count + (id === unknownTokenId ? 1 : 0), 0);
  return {
    lengths: Int32Array.from({ length: starts.length - 1 }, (_, c) => starts[c + 1]! - starts[c]!),
    unknown: ids.length === 0 ? 0 : unknown / ids.length,
  };
}

/** The value below which a fraction of the values lies, interpolated as numpy.percentile does. */
export function quantile(values: ArrayLike<number>, fraction: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}
