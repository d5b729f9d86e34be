import { describe, expect, it } from 'vitest';
import { DecodeBudget } from './decode-budget.js';

/** Work that ends when asked to. */
function work(names: string[], name: string) {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const start = () => {
    names.push(name);
    return ended;
  };
  return { start, end: () => end() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the budget of decoding', () => {
  it('holds what is decoded below its total, in the order of arrival', async () => {
    const budget = new DecodeBudget(10);
    const started: string[] = [];
    const [a, b, c] = [work(started, 'a'), work(started, 'b'), work(started, 'c')];
    const all = [budget.run(6, a.start), budget.run(6, b.start), budget.run(1, c.start)];
    await turn();
    expect(started).toEqual(['a']);
    expect(budget.fits(1)).toBe(false);
    a.end();
    await turn();
    expect(started).toEqual(['a', 'b', 'c']);
    b.end();
    c.end();
    await Promise.all(all);
    expect(budget.fits(10)).toBe(true);
  });

  it('gives all of itself to what is larger, and gives room back after a failure', async () => {
    const budget = new DecodeBudget(10);
    await budget.run(1000, async () => expect(budget.fits(1)).toBe(false));
    await expect(budget.run(10, () => Promise.reject(new Error('damaged')))).rejects.toThrow('damaged');
    expect(budget.fits(10)).toBe(true);
  });

  it('lets who waits for an idle moment take room before those behind it in line', async () => {
    const budget = new DecodeBudget(10);
    const started: string[] = [];
    const [a, b] = [work(started, 'a'), work(started, 'b')];
    void budget.run(3, a.start);
    let giveBack: () => void = () => undefined;
    budget.whenIdle(() => {
      started.push(`idle ${budget.fits(10)}`);
      giveBack = budget.take(10);
    });
    const last = budget.run(3, b.start);
    a.end();
    await turn();
    expect(started).toEqual(['a', 'idle true']);
    giveBack();
    await turn();
    expect(started).toEqual(['a', 'idle true', 'b']);
    b.end();
    await last;
  });
});
