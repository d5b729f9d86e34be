/**
 * Makes a word-level tokenizer from a corpus, as the two files that Python's AutoTokenizer and transformers.js open:
 * tokenizer.json (format of github.com/huggingface/tokenizers: NFC, lower case, words and punctuation marks, <s> … </s>)
 * and tokenizer_config.json. Used when the text tower is trained from scratch.
 */

const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>'] as const;
export const BOS_ID = 0;
export const PAD_ID = 1;
export const EOS_ID = 2;

/** Words that occur once are mostly typing errors and rare names: they become <unk>, which the tower thus learns too. */
const MIN_COUNT = 2;
const MAX_WORDS = 30_000;

/** Unicode punctuation and the ASCII symbols, as BertPreTokenizer counts them. */
const MARK = '\\p{P}\\u0021-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u007E';
const WORD_OR_MARK = new RegExp(`[^\\s${MARK}]+|[${MARK}]`, 'gu');

/** The words and marks of a text, as the tokenizer made here splits it. */
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

/** Tokens of the longest text, <s> and </s> included. */
export function longestLength(corpus: Iterable<string>): number {
  let longest = 0;
  for (const text of corpus) longest = Math.max(longest, splitWords(text).length);
  return longest + 2;
}

export interface TokenizerFiles {
  vocabularySize: number;
  /** File name → content. */
  files: Record<'tokenizer.json' | 'tokenizer_config.json', string>;
}

const special = (token: string, id: number) => ({
  id,
  content: token,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

const specialPart = (token: string) => ({ SpecialToken: { id: token, type_id: 0 } });
const sequence = (id: 'A' | 'B') => ({ Sequence: { id, type_id: 0 } });
const specialEntry = (token: string, id: number) => ({ id: token, ids: [id], tokens: [token] });

/** The tokenizer of a corpus; texts longer than `maxLength` tokens are truncated. */
export function buildWordLevelTokenizer(corpus: Iterable<string>, maxLength: number): TokenizerFiles {
  const tokens = [...SPECIAL_TOKENS, ...countWords(corpus)];
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map(special),
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [specialPart('<s>'), sequence('A'), specialPart('</s>')],
      pair: [specialPart('<s>'), sequence('A'), specialPart('</s>'), sequence('B'), specialPart('</s>')],
      special_tokens: { '<s>': specialEntry('<s>', BOS_ID), '</s>': specialEntry('</s>', EOS_ID) },
    },
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      unk_token: '<unk>',
    },
  };
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
