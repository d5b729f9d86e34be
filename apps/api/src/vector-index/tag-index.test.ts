import { describe, expect, it } from 'vitest';
import { TagIndex } from './tag-index.js';

describe('the index of tags', () => {
  it('finds what carries all tags, after changes and deletions too', () => {
    const tags = new TagIndex();
    tags.set(1, ['dog', 'beach']);
    tags.set(2, ['dog']);
    tags.set(3, ['beach', '__proto__']);
    expect(tags.withAll(['dog'])).toEqual([1, 2]);
    expect(tags.withAll(['beach', 'dog'])).toEqual([1]);
    expect(tags.withAll(['dog', 'cat'])).toEqual([]);
    expect(tags.withAll(['__proto__'])).toEqual([3]);
    tags.set(1, ['cat']);
    tags.delete(3);
    tags.delete(99);
    expect([tags.withAll(['dog']), tags.withAll(['beach']), tags.withAll(['cat'])]).toEqual([[2], [], [1]]);
  });
});
