import { describe, expect, it } from 'vitest';
import { prefetch } from './prefetch.js';

describe('prefetch', () => {
  it('prepares the given number of items ahead of the one in use, in order and to the end', async () => {
    let started = 0;
    const used: number[] = [];
    const ahead: number[] = [];
    const squares = prefetch([1, 2, 3, 4, 5], 2, async (item) => {
      started++;
      return item * item;
    });
    for await (const square of squares) {
      used.push(square);
      ahead.push(started - used.length);
    }
    expect(used).toEqual([1, 4, 9, 16, 25]);
    expect(ahead).toEqual([2, 2, 2, 1, 0]);
  });

  it('gives each item back when the next is asked for', async () => {
    const events: string[] = [];
    const release = (item: number) => void events.push(`released ${item}`);
    for await (const item of prefetch([1, 2], 2, async (item) => item, release)) events.push(`used ${item}`);
    expect(events).toEqual(['used 1', 'released 1', 'used 2', 'released 2']);
  });

  it('throws an error when the turn of its item comes, not before', async () => {
    const used: number[] = [];
    const all = prefetch([1, 2, 3], 3, async (item) => {
      if (item === 2) throw new Error('no 2');
      return item;
    });
    await expect(async () => {
      for await (const item of all) used.push(item);
    }).rejects.toThrow('no 2');
    expect(used).toEqual([1]);
  });
});
