import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GOLDEN, goldenFolders } from '../../test/golden-folders.js';
import { loadTokenizer } from './load-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

const KINDS = ['clip', 'wordpiece', 'byte-level-bpe', 'unigram', 'word-level'];

const VOCAB = {
  '[PAD]': 0,
  '[UNK]': 1,
  '[CLS]': 2,
  '[SEP]': 3,
  a: 4,
  dog: 5,
  café: 6,
  runs: 7,
  '<extra>': 8,
};
const special = (id: number, content: string) => ({ id, content, special: true, normalized: false });
const WORD_LEVEL = {
  added_tokens: [
    special(0, '[PAD]'),
    special(1, '[UNK]'),
    special(2, '[CLS]'),
    special(3, '[SEP]'),
    { id: 8, content: '<extra>', special: false, normalized: true, single_word: true, rstrip: true },
  ],
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] },
  decoder: null,
  model: { type: 'WordLevel', vocab: VOCAB, unk_token: '[UNK]' },
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-tokenizer-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function tokenizerOf(json: object, config: object = { pad_token: '[PAD]' }): Promise<Tokenizer> {
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json));
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  return loadTokenizer(folder);
}

describe('Tokenizer', () => {
  it('lower-cases for SigLIP 2, whose tokenizer.json does not say so, and for no other', async () => {
    const json = { ...WORD_LEVEL, normalizer: { type: 'Replace', pattern: { String: '!' }, content: '' } };
    const idsFor = async (config: object) => {
      const tokenizer = await tokenizerOf(json, { pad_token: '[PAD]', ...config });
      return [...tokenizer.encode(['A DOG!']).input_ids];
    };
    const gemma = { tokenizer_class: 'GemmaTokenizer' };
    expect(await idsFor({ ...gemma, do_lower_case: true })).toEqual([2, 4, 5, 3]);
    expect(await idsFor({ ...gemma, do_lower_case: false })).toEqual([2, 1, 1, 3]);
    expect(await idsFor({ tokenizer_class: 'XLMRobertaTokenizer', do_lower_case: true })).toEqual([
      2, 1, 1, 3,
    ]);
  });

  it('pads to the longest text, with a mask that is 1 on tokens only', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL);
    expect(tokenizer.encode(['a dog runs', 'DOG'])).toEqual({
      input_ids: new Int32Array([2, 4, 5, 7, 3, 2, 5, 3, 0, 0]),
      attention_mask: new Int32Array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]),
      shape: [2, 5],
    });
    expect(tokenizer.vocabSize).toBe(9);
    expect(tokenizer.padTokenId).toBe(0);
    expect(tokenizer.maxLength).toBe(Infinity);
  });

  it('decodes to words, without special tokens but that of unknown words', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL);
    expect(tokenizer.decode(tokenizer.tokenIds('A dog runs'))).toBe('a dog runs');
    expect(tokenizer.decode(tokenizer.tokenIds('a cat <extra> runs'))).toBe('a [UNK] <extra> runs');
    expect(tokenizer.decode([])).toBe('');
  });

  it('pads to a fixed length, and on the left when the files say so', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL, {
      pad_token: { content: '[PAD]' },
      padding_side: 'left',
    });
    expect([...tokenizer.encode(['dog'], { padTo: 5 }).input_ids]).toEqual([0, 0, 2, 5, 3]);
  });

  it('cuts the content, never the end token', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL, { pad_token: '[PAD]', model_max_length: 4 });
    expect(tokenizer.tokenIds('a dog runs a dog')).toEqual([2, 4, 5, 3]);
    expect(tokenizer.tokenIds('a dog runs', { maxLength: 3 })).toEqual([2, 4, 3]);
    expect(tokenizer.tokenIds('a dog runs', { maxLength: 2 })).toEqual([2, 3]);
  });

  it('encodes no texts, and empty ones', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL);
    expect(tokenizer.encode([]).shape).toEqual([0, 0]);
    expect([...tokenizer.encode([' \n', '']).input_ids]).toEqual([2, 3, 2, 3]);
  });

  it('splits words at Unicode boundaries and reads unpaired surrogates as unknown', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL);
    expect(tokenizer.tokenIds('Café,dog \ud800')).toEqual([2, 6, 1, 5, 1, 3]);
  });

  it('reads a special token spelled in a text as that token, or as text when asked to', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL);
    expect(tokenizer.tokenIds('a [SEP] dog')).toEqual([2, 4, 3, 5, 3]);
    expect(tokenizer.tokenIds('a [SEP] dog', { splitSpecialTokens: true })).toEqual([2, 4, 1, 1, 1, 5, 3]);
  });

  it('keeps a special token text even where the words are split at spaces alone', async () => {
    const tokenizer = await tokenizerOf({
      ...WORD_LEVEL,
      normalizer: null,
      pre_tokenizer: { type: 'WhitespaceSplit' },
    });
    expect(tokenizer.tokenIds('a [SEP] [UNK]', { splitSpecialTokens: true })).toEqual([2, 4, 1, 1, 3]);
  });

  it('honours single_word, rstrip and normalisation of an added token', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL);
    expect(tokenizer.tokenIds('a <EXTRA>   dog')).toEqual([2, 4, 8, 5, 3]);
    expect(tokenizer.tokenIds('a<extra>')).toEqual([2, 4, 1, 1, 1, 3]);
  });

  it('says what is wrong with a request', async () => {
    const tokenizer = await tokenizerOf(WORD_LEVEL);
    expect(() => tokenizer.tokenIds('a', { maxLength: 1 })).toThrow(
      'no room for the special tokens: expected at least 2, found 1',
    );
    expect(() => tokenizer.encode(['a dog'], { padTo: 3 })).toThrow('expected at most 3 tokens, found 4');
    expect(() => tokenizer.tokenIds(5 as unknown as string)).toThrow('not a string');
  });
});

describe('loadTokenizer', () => {
  it('says what is wrong with the files', async () => {
    await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: 'TOKENIZER_INVALID' });
    await expect(loadTokenizer(folder)).rejects.toThrow('save_pretrained');
    await writeFile(join(folder, 'tokenizer.json'), '{');
    await expect(loadTokenizer(folder)).rejects.toThrow('not valid JSON');
    await expect(tokenizerOf({ model: {} })).rejects.toThrow('model.vocab');
    await expect(tokenizerOf(WORD_LEVEL, {})).rejects.toThrow('names no padding token');
    await expect(tokenizerOf(WORD_LEVEL, { pad_token: '<p>' })).rejects.toThrow(
      '"<p>" is not in the vocabulary',
    );
    await expect(tokenizerOf({ ...WORD_LEVEL, post_processor: { type: 'X' } })).rejects.toThrow('found X');
  });
});

interface Cases {
  max_length: number;
  pad_token: string;
  cases: { text: string; ids: number[]; truncated_ids: number[] }[];
}

describe('tokenizers of every kind', () => {
  it.each(goldenFolders('tokenizers', KINDS))('$name: ids and truncated ids', async ({ path: root }) => {
    const tokenizer = await loadTokenizer(root);
    const { cases, max_length } = JSON.parse(await readFile(join(root, 'cases.json'), 'utf8')) as Cases;
    for (const { text, ids, truncated_ids } of cases) {
      expect(tokenizer.tokenIds(text, { maxLength: Infinity }), text).toEqual(ids);
      expect(tokenizer.tokenIds(text, { maxLength: max_length }), text).toEqual(truncated_ids);
      expect(tokenizer.tokenIds(text), text).toEqual(truncated_ids);
    }
  });

  it.each(goldenFolders('tokenizers', KINDS))('$name: 10,000 characters', async ({ path: root }) => {
    const tokenizer = await loadTokenizer(root);
    for (const text of ['a'.repeat(10_000), 'dog '.repeat(2_500), '🐶'.repeat(5_000), '<s>'.repeat(3_333)]) {
      const ids = tokenizer.tokenIds(text);
      expect(ids.length).toBeLessThanOrEqual(tokenizer.maxLength);
      expect(ids.at(-1)).toBe(tokenizer.tokenIds('').at(-1));
    }
  });

  const own = goldenFolders('tokenizers', KINDS).filter(({ path }) => path.startsWith(GOLDEN));
  it.each(own)(
    '$name: words of 100,000 characters, which must not take quadratic time',
    async ({ path: root }) => {
      const tokenizer = await loadTokenizer(root);
      for (const unit of ['dogs', '\u00e9', '\ud83d\udc36', '\u0344\u0316']) {
        const ids = tokenizer.tokenIds(unit.repeat(100_000 / unit.length));
        expect(ids.length, unit).toBeLessThanOrEqual(tokenizer.maxLength);
        expect(ids.at(-1), unit).toBe(tokenizer.tokenIds('').at(-1));
      }
    },
  );
});
