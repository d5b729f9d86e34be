import { describe, expect, it } from 'vitest';
import { LONGEST_CURSOR, cursorAfter, readCursor } from './search-cursor.js';

const MODEL = 'ab'.repeat(32);
const matches = [
  { key: 7, score: 0.5 },
  { key: 4_000_000_000, score: Math.fround(0.3) },
];
const page = { matches, exact: true, largestKey: 4_100_000_000 };

describe('a cursor', () => {
  it('says where a page ended whose order is that of the scores', () => {
    expect(readCursor(cursorAfter(page, 2, MODEL, undefined)!, MODEL)).toEqual({
      model: MODEL,
      largestKey: page.largestKey,
      shown: [],
      after: matches[1],
    });
  });

  it('names the images that a graph chose, on all pages that follow', () => {
    const first = readCursor(cursorAfter({ ...page, exact: false }, 2, MODEL, undefined)!, MODEL);
    expect(first).toEqual({ model: MODEL, largestKey: page.largestKey, shown: [7, 4_000_000_000] });
    const next = { matches: [{ key: 9, score: 0.75 }], exact: true, largestKey: 4_200_000_000 };
    expect(readCursor(cursorAfter(next, 1, MODEL, first)!, MODEL)).toEqual({
      ...first,
      after: next.matches[0],
    });
  });

  it('is missing after the last page', () => {
    expect(cursorAfter(page, 3, MODEL, undefined)).toBeNull();
    expect(cursorAfter({ ...page, matches: [] }, 3, MODEL, undefined)).toBeNull();
  });

  it('of the longest page is as long as one may be', () => {
    const long = {
      ...page,
      exact: false,
      matches: Array.from({ length: 100 }, (_, key) => ({ key, score: 0 })),
    };
    const cursor = cursorAfter(long, 100, MODEL, undefined)!;
    expect(cursor.length).toBeLessThanOrEqual(LONGEST_CURSOR);
    expect(readCursor(cursor, MODEL).shown).toHaveLength(100);
  });

  it('that was not given, or that another model gave, is refused', () => {
    const cursor = cursorAfter(page, 2, MODEL, undefined)!;
    for (const wrong of ['', 'x', cursor.slice(1), `${cursor}AA`, `${cursor}=`]) {
      expect(() => readCursor(wrong, MODEL), wrong).toThrow('expected the nextCursor of a page');
    }
    expect(() => readCursor(cursor, 'cd'.repeat(32))).toThrow('another model answers');
  });
});
