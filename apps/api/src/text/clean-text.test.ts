import { describe, expect, it } from 'vitest';
import { cleanText, cleanTexts } from './clean-text.js';

describe('cleaning text', () => {
  it.each([
    ['nice \ud83d', 'nice \ufffd'],
    ['\ude00 nice', '\ufffd nice'],
    ['\ude00\ud83d', '\ufffd\ufffd'],
    ['a\0b', 'a\ufffdb'],
    ['nice \ud83d\ude00', 'nice \ud83d\ude00'],
    ['', ''],
  ])('%j becomes %j', (text, clean) => {
    expect(cleanText(text)).toBe(clean);
  });

  it('reaches every text of a value and leaves everything else as it is', () => {
    const date = new Date(0);
    const bytes = new Uint8Array([1]);
    expect(cleanTexts({ a: ['\ud800', { b: '\0' }], n: 1, none: null, date, bytes })).toEqual({
      a: ['\ufffd', { b: '\ufffd' }],
      n: 1,
      none: null,
      date,
      bytes,
    });
  });
});
