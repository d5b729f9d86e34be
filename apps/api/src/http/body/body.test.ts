import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.js';
import { JsonScanner, parseBounded } from './json-scanner.js';

const FREE = 64 * 1024;

describe('the scanner of JSON', () => {
  const limits = { maxDepth: 3, maxValues: 10 };
  const scan = (text: string, size = text.length) => {
    const scanner = new JsonScanner(limits);
    for (let at = 0; at < text.length; at += size) scanner.push(Buffer.from(text.slice(at, at + size)));
  };

  it.each([
    ['numbers', '[1,2,3,4,5,6,7,8,9]'],
    ['brackets within strings', '["[[[[[","{{{{{",",,,,,,,,,,,,,,,,,"]'],
    ['escaped quotes', String.raw`{"a":"\"[[[[[\\","b":"\\\""}`],
    ['nesting that is allowed', '[[[1]]]'],
    ['words and white space', ' [ true , false ,\n null ] '],
    ['a long text', JSON.stringify('x'.repeat(100_000))],
  ])('lets pass %s, whatever pieces it comes in', (_what, text) => {
    for (const size of [1, 2, 3, text.length]) expect(() => scan(text, size)).not.toThrow();
    expect(parseBounded(text, limits)).toEqual(JSON.parse(text));
  });

  it.each([
    ['too many values', `[${'1,'.repeat(10)}1]`, 'request_too_large'],
    ['too many keys', `{${'"a":1,'.repeat(6)}"a":1}`, 'request_too_large'],
    ['too deep', '[[[[1]]]]', 'invalid_request'],
    ['deep and never closed', '['.repeat(1000), 'invalid_request'],
    ['a number without end', '1'.repeat(1000), 'request_too_large'],
  ])('stops at %s', (_what, text, code) => {
    for (const size of [1, 7, text.length]) {
      expect(() => scan(text, size)).toThrow(expect.objectContaining({ code }) as Error);
    }
  });
});

describe('the budget of bytes', () => {
  const PATIENCE = 100;
  /** A lease that holds `bytes` beyond the free ones. */
  const holding = (budget: ByteBudget, client: string, bytes: number) => {
    const lease = budget.lease(client);
    return { lease, room: lease.take(FREE + bytes) };
  };

  it('counts nothing of small bodies', () => {
    const budget = new ByteBudget(1000);
    for (let n = 0; n < 50; n++) expect(budget.lease('a').take(FREE)).toBeUndefined();
    expect(budget.held).toBe(0);
  });

  it('gives one client half at most, and gives back what is released', async () => {
    const budget = new ByteBudget(1000, PATIENCE);
    const first = holding(budget, 'a', 500);
    expect(first.room).toBeUndefined();
    await expect(holding(budget, 'a', 1).room).rejects.toMatchObject({ code: 'overloaded', retryAfter: 2 });
    expect(holding(budget, 'b', 400).room).toBeUndefined();
    expect(budget.held).toBe(900);
    first.lease.release();
    first.lease.release();
    expect(budget.held).toBe(400);
    expect(holding(budget, 'a', 500).room).toBeUndefined();
  });

  it('lets who waits have what is released in time', async () => {
    const budget = new ByteBudget(1000, 5000);
    const first = holding(budget, 'a', 500);
    const { room } = holding(budget, 'a', 300);
    first.lease.release();
    await room;
    expect(budget.held).toBe(300);
  });

  it('takes the room of a body that has stopped arriving, not of one that arrives', async () => {
    const budget = new ByteBudget(1000, 5000);
    const evicted: string[] = [];
    const read = (name: string, slow: boolean) => {
      const { lease } = holding(budget, name, 500);
      lease.reader = {
        isSlow: () => slow,
        evict: () => {
          evicted.push(name);
          lease.release();
        },
      };
    };
    read('fast', false);
    read('slow', true);
    await holding(budget, 'new', 200).room;
    expect(evicted).toEqual(['slow']);
  });

  it('forgets a body that was given up while it waited', async () => {
    const budget = new ByteBudget(1000, 5000);
    const first = holding(budget, 'a', 500);
    const second = holding(budget, 'a', 500);
    second.lease.release();
    first.lease.release();
    await second.room;
    await delay(0);
    expect(budget.held).toBe(0);
  });
});
