import { describe, expect, it } from 'vitest';
import { orderMarks } from './combining-marks.js';

const MARKS = Array.from({ length: 0x20000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter((character) => /\p{M}/u.test(character));

/** Marks in an order that looks random. */
function marks(count: number, seed: number): string {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return MARKS[state % MARKS.length]!;
  }).join('');
}

describe('combining marks in canonical order', () => {
  it('are the same text to every normaliser, and leave it nothing to move', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const text = `caf\u00e9 ${marks(70, seed)}a${marks(100, seed + 100)} dog`;
      const ordered = orderMarks(text);
      for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD']) {
        expect(ordered.normalize(form), `${form}, seed ${seed}`).toBe(text.normalize(form));
      }
      const runs = ordered.match(/\p{M}{64,}/gu)!;
      expect(runs.map((run) => run.normalize('NFD'))).toEqual(runs);
    }
  });

  it.each([
    ['two classes in turns', '\u0301\u0316'.repeat(50_000)],
    ['one class after a lower one', '\u0301'.repeat(50_000) + '\u0316'.repeat(50_000)],
    ['marks that are two', '\u0344\u0316'.repeat(50_000)],
    ['every mark there is', marks(100_000, 7)],
  ])('are ready for a normaliser when there are 100,000: %s', (_what, run) => {
    const ordered = orderMarks(`a${run}`);
    expect(ordered.length).toBeGreaterThan(100_000);
    expect(ordered.normalize('NFD')).toBe(ordered);
  });

  it('stay as they are where they are few', () => {
    const text = 'e\u0301\u0316 caf\u00e9 \u0344\u0316';
    expect(orderMarks(text)).toBe(text);
  });
});
