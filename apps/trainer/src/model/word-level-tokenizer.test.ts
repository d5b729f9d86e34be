import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadTokenizer } from '@clip-ts/clip';
import { describe, expect, it } from 'vitest';
import {
  BOS_ID,
  buildWordLevelTokenizer,
  countWords,
  EOS_ID,
  longestLength,
  PAD_ID,
  splitWords,
} from './word-level-tokenizer.js';

const CORPUS = ['A red circle, above a Blue square.', 'a red ring', 'the square is blue', 'zebra'];

describe('word-level tokenizer', () => {
  it('splits words and single punctuation marks in lower case', () => {
    expect(splitWords('A man’s  t-shirt!!')).toEqual(['a', 'man', '’', 's', 't', '-', 'shirt', '!', '!']);
  });

  it('orders words by count, then alphabet, and leaves out words seen once', () => {
    expect(countWords(CORPUS)).toEqual(['a', 'blue', 'red', 'square']);
    expect(longestLength(CORPUS)).toBe(11);
  });

  it('encodes through the loader that serves it', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'word-level-'));
    try {
      const { files, vocabularySize } = buildWordLevelTokenizer(CORPUS, 8);
      for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
      const tokenizer = await loadTokenizer(folder);
      const { input_ids, attention_mask, shape } = tokenizer.encode(['a RED zebra', 'blue'], {
        maxLength: 8,
      });
      expect(vocabularySize).toBe(8);
      expect(shape).toEqual([2, 5]);
      expect([...input_ids]).toEqual([BOS_ID, 4, 6, 3, EOS_ID, BOS_ID, 5, EOS_ID, PAD_ID, PAD_ID]);
      expect([...attention_mask]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
