import { describe, expect, it } from 'vitest';
import { AttributeIndex, type ImageFilter } from './attribute-index.js';
import { keysOf } from './key-set.js';

const DAY = 86_400_000;

/** Image 1 to 6, a day apart, and one far behind. */
function filled(): AttributeIndex {
  const index = new AttributeIndex();
  const set = (key: number, tags: string[], collections: string[] = []) =>
    index.set({
      key,
      tags,
      collections,
      addedAt: new Date(key * DAY),
      takenAt: key > 4 ? null : new Date(-key * DAY),
    });
  set(1, ['dog']);
  set(2, ['dog', 'ball']);
  set(3, ['cat'], ['a']);
  set(4, ['cat', 'ball'], ['a', 'b']);
  set(5, []);
  set(6, ['dog', 'ball'], ['b']);
  set(90_000, ['ball']);
  return index;
}

describe('the attributes of images', () => {
  const index = filled();
  const matching = (filter: ImageFilter) => {
    const keys = index.matching(filter);
    return keys === undefined ? undefined : [...keysOf(keys)];
  };

  it('let everything pass where nothing is asked', () => {
    expect(matching({})).toBeUndefined();
    expect(matching({ tags: [], withoutTags: [], collections: [] })).toBeUndefined();
  });

  it('narrow by all of the tags, none of others, all collections', () => {
    expect(matching({ tags: ['ball'] })).toEqual([2, 4, 6, 90_000]);
    expect(matching({ tags: ['ball', 'dog'] })).toEqual([2, 6]);
    expect(matching({ tags: ['ball'], withoutTags: ['dog'] })).toEqual([4, 90_000]);
    expect(matching({ withoutTags: ['ball', 'cat', 'unknown'] })).toEqual([1, 5]);
    expect(matching({ collections: ['a'] })).toEqual([3, 4]);
    expect(matching({ collections: ['a', 'b'], tags: ['cat'] })).toEqual([4]);
    expect(matching({ tags: ['unknown'] })).toEqual([]);
    expect(matching({ tags: ['dog'], except: [2] })).toEqual([1, 6]);
    expect(matching({ tags: ['ball'], upTo: 4, except: [1, 2] })).toEqual([4]);
    expect(matching({ upTo: 2 })).toEqual([1, 2]);
    expect(matching({ upTo: 90_000 })).toBeUndefined();
  });

  it('narrow by time, both ends included', () => {
    expect(matching({ from: 2 * DAY, to: 4 * DAY })).toEqual([2, 3, 4]);
    expect(matching({ from: 5 * DAY + 1 })).toEqual([6, 90_000]);
    expect(matching({ to: DAY, withoutTags: ['dog'] })).toEqual([]);
  });

  it('narrow by when images were taken, and leave out those of which that is not known', () => {
    expect(matching({ takenFrom: -3 * DAY, takenTo: -2 * DAY })).toEqual([2, 3]);
    expect(matching({ takenFrom: -9 * DAY })).toEqual([1, 2, 3, 4]);
    expect(matching({ takenTo: -DAY, from: 2 * DAY, tags: ['ball'] })).toEqual([2, 4]);
  });

  it('follow changes and deletions', () => {
    const index = filled();
    index.set({ key: 1, tags: ['cat'], collections: [], addedAt: new Date(9 * DAY), takenAt: null });
    index.delete(3);
    index.delete(777);
    expect([...keysOf(index.matching({ tags: ['cat'] })!)]).toEqual([1, 4]);
    expect([...keysOf(index.matching({ withoutTags: ['ball'], to: 8 * DAY })!)]).toEqual([5]);
  });
});
