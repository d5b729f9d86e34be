import { describe, expect, it } from 'vitest';
import { reuseSlowResult } from './reuse-slow-result.js';

/** Work that takes the given number of milliseconds by a clock of its own, and returns how often it was done. */
function working(milliseconds: number) {
  const clock = { now: 0, done: 0 };
  const ask = reuseSlowResult(
    async () => {
      await Promise.resolve();
      clock.now += milliseconds;
      if (++clock.done === 3) throw new Error('the third time fails');
      return clock.done;
    },
    () => clock.now,
  );
  return { clock, ask };
}

describe('slow work', () => {
  it('is done each time when it is quick, and once for those who ask at the same time', async () => {
    const { ask } = working(10);
    expect(await Promise.all([ask(), ask()])).toEqual([1, 1]);
    expect(await ask()).toBe(2);
  });

  it('is done again after twenty times as long as it took, and at once after a failure', async () => {
    const { clock, ask } = working(100);
    expect(await ask()).toBe(1);
    clock.now += 1900;
    expect(await ask()).toBe(1);
    clock.now += 200;
    expect(await ask()).toBe(2);
    clock.now += 2100;
    await expect(ask()).rejects.toThrow('third');
    expect(await ask()).toBe(4);
  });
});
