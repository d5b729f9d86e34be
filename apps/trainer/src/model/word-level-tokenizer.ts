/**
 * Makes a word-level tokenizer from a corpus, as the two files that Python's AutoTokenizer and transformers.js open:
 * tokenizer.json (format of github.com/huggingface/tokenizers: NFC, lower case, words and punctuation marks, <s> … </s>)
 * and tokenizer_config.json. Scripts that put no spaces between words, such as Chinese, Japanese and Thai, are split into
 * characters. Used when the text tower is trained from scratch.
 */
import { wordLevelTokenizer } from '@clip-ts/clip';

const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>'] as const;
export const BOS_ID = 0;
export const PAD_ID = 1;
export const EOS_ID = 2;

/** Words that occur once are mostly typing errors and rare names: they become <unk>, which the tower thus learns too. */
const MIN_COUNT = 2;
const MAX_WORDS = 30_000;

/** Unicode punctuation and the ASCII symbols, as BertPreTokenizer counts them. */
const MARK = '\\p{P}\\u0021-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u007E';

/** First and last code points of the scripts without spaces between words. */
const UNSPACED_RANGES: readonly (readonly [first: number, last: number])[] = [
  [0x0e00, 0x0eff], // Thai, Lao
  [0x1000, 0x109f], // Myanmar
  [0x1780, 0x17ff], // Khmer
  [0x2e80, 0x2fdf], // Han radicals
  [0x3005, 0x3007], // Han iteration marks
  [0x3041, 0x309f], // Hiragana
  [0x30a1, 0x30fa], // Katakana
  [0x30fc, 0x30ff],
  [0x31f0, 0x31ff],
  [0xff66, 0xff9f],
  [0x3400, 0x4dbf], // Han
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x3ffff],
];
/** As literal characters, which regular expressions of JavaScript and of Python's tokenizers read alike. */
const UNSPACED = UNSPACED_RANGES.map((range) =>
  range.map((point) => String.fromCodePoint(point)).join('-'),
).join('');
/** A character of such a script with its vowel signs and tone marks. */
const CHARACTER = `[${UNSPACED}]\\p{M}*`;
const WORD_OR_MARK = new RegExp(`${CHARACTER}|[^\\s${MARK}${UNSPACED}]+|[${MARK}]`, 'gu');

/** The words, characters and marks of a text, as the tokenizer made here splits it. */
export const splitWords = (text: string): string[] =>
  text.normalize('NFC').toLowerCase().match(WORD_OR_MARK) ?? [];

/** Words by descending count, then alphabetically, so that one corpus gives one vocabulary. */
export function countWords(corpus: Iterable<string>): string[] {
  const counts = new Map<string, number>();
  for (const text of corpus)
    for (const word of splitWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count >= MIN_COUNT)
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, MAX_WORDS)
    .map(([word]) => word);
}

/** Tokens of each text, <s> and </s> included. */
export const tokenLengths = (corpus: readonly string[]): number[] =>
  corpus.map((text) => splitWords(text).length + 2);

export interface TokenizerFiles {
  vocabularySize: number;
  /** File name → content. */
  files: Record<'tokenizer.json' | 'tokenizer_config.json', string>;
}

/** The tokenizer of a corpus; texts longer than `maxLength` tokens are truncated. */
export function buildWordLevelTokenizer(corpus: Iterable<string>, maxLength: number): TokenizerFiles {
  const tokens = [...SPECIAL_TOKENS, ...countWords(corpus)];
  const tokenizer = wordLevelTokenizer({
    tokens,
    special: SPECIAL_TOKENS,
    unknown: '<unk>',
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
    preTokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: CHARACTER }, behavior: 'Isolated', invert: false },
        { type: 'BertPreTokenizer' },
      ],
    },
    template: { before: '<s>', after: '</s>' },
  });
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: maxLength,
    bos_token: '<s>',
    eos_token: '</s>',
    pad_token: '<pad>',
    unk_token: '<unk>',
    padding_side: 'right',
    truncation_side: 'right',
    model_input_names: ['input_ids', 'attention_mask'],
    clean_up_tokenization_spaces: false,
  };
  return {
    vocabularySize: tokens.length,
    files: {
      'tokenizer.json': `${JSON.stringify(tokenizer, null, 1)}\n`,
      'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
    },
  };
}
