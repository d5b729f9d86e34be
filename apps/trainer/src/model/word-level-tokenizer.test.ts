import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadTokenizer, type Tokenizer } from '@clip-ts/clip';
import { describe, expect, it } from 'vitest';
import {
  BOS_ID,
  buildWordLevelTokenizer,
  countWords,
  EOS_ID,
  tokenLengths,
  PAD_ID,
  splitWords,
  type TokenizerFiles,
} from './word-level-tokenizer.js';

/** As the checkpoint's loader opens it. */
async function load({ files }: TokenizerFiles): Promise<Tokenizer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'word-level-'));
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
    return await loadTokenizer(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const UNKNOWN_ID = 3;
const CORPUS = ['A red circle, above a Blue square.', 'a red ring', 'the square is blue', 'zebra'];

describe('word-level tokenizer', () => {
  it('splits words and single punctuation marks in lower case', () => {
    expect(splitWords('A man’s  t-shirt!!')).toEqual(['a', 'man', '’', 's', 't', '-', 'shirt', '!', '!']);
  });

  it('splits scripts without spaces into characters with their signs', () => {
    expect(splitWords('一只狗，running在海滩')).toEqual([
      '一',
      '只',
      '狗',
      '，',
      'running',
      '在',
      '海',
      '滩',
    ]);
    expect(splitWords('犬がボールを追う。')).toEqual(['犬', 'が', 'ボ', 'ー', 'ル', 'を', '追', 'う', '。']);
    expect(splitWords('ที่นี่')).toEqual(['ที่', 'นี่']);
    expect(splitWords('개가 달린다')).toEqual(['개가', '달린다']);
  });

  it.each([
    ['一只狗在海滩上跑。', '一只猫在海滩'],
    ['สุนัขวิ่งบนชายหาด', 'สุนัขนอน'],
    ['犬がボールを追う。', '犬がボールで遊ぶ'],
  ])('encodes %s as it splits it, without unknown characters', async (...corpus) => {
    const tokenizer = await load(buildWordLevelTokenizer([...corpus, ...corpus], 64));
    for (const text of corpus) {
      const ids = tokenizer.tokenIds(`A ${text}`);
      expect(ids).toHaveLength(splitWords(`A ${text}`).length + 2);
      expect(ids.filter((id) => id === UNKNOWN_ID)).toHaveLength(1);
    }
  });

  it('orders words by count, then alphabet, and leaves out words seen once', () => {
    expect(countWords(CORPUS)).toEqual(['a', 'blue', 'red', 'square']);
    expect(tokenLengths(CORPUS)).toEqual([11, 5, 6, 3]);
  });

  it('encodes through the loader that serves it', async () => {
    const built = buildWordLevelTokenizer(CORPUS, 8);
    const tokenizer = await load(built);
    const { input_ids, attention_mask, shape } = tokenizer.encode(['a RED zebra', 'blue'], { maxLength: 8 });
    expect(built.vocabularySize).toBe(8);
    expect(shape).toEqual([2, 5]);
    expect([...input_ids]).toEqual([BOS_ID, 4, 6, UNKNOWN_ID, EOS_ID, BOS_ID, 5, EOS_ID, PAD_ID, PAD_ID]);
    expect([...attention_mask]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
  });
});
