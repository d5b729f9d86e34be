import { describe, expect, it } from 'vitest';
import { INITIAL_LOSS_SCALE, nextLossScale } from './loss-scale.js';

describe('the loss scale', () => {
  it('halves when gradients overflow, and counts the step that was left out', () => {
    const once = nextLossScale({ ...INITIAL_LOSS_SCALE, steps: 7 }, true);
    expect(once).toEqual({ scale: 2 ** 15, steps: 0, skipped: 1 });
    expect(nextLossScale(once, true)).toEqual({ scale: 2 ** 14, steps: 0, skipped: 2 });
  });

  it('doubles after 2,000 good steps, up to a limit', () => {
    let state = INITIAL_LOSS_SCALE;
    for (let i = 0; i < 1999; i++) state = nextLossScale(state, false);
    expect(state).toEqual({ scale: 2 ** 16, steps: 1999, skipped: 0 });
    expect(nextLossScale(state, false)).toEqual({ scale: 2 ** 17, steps: 0, skipped: 0 });
    expect(nextLossScale({ scale: 2 ** 24, steps: 1999, skipped: 0 }, false).scale).toBe(2 ** 24);
  });
});
