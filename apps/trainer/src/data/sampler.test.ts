import { describe, expect, it } from 'vitest';
import { batchOf, captionChoice, epochOrder, stepsPerEpoch } from './sampler.js';

describe('sampler', () => {
  it('shows each image once an epoch, in another order each time', () => {
    const first = epochOrder(3, 100, 0);
    const second = epochOrder(3, 100, 1);
    expect(Array.from(first).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...second]).not.toEqual([...first]);
    expect([...epochOrder(3, 100, 0)]).toEqual([...first]);
  });

  it('cuts an epoch into whole batches', () => {
    expect(stepsPerEpoch(10, 4)).toBe(2);
    expect([...batchOf(Int32Array.of(5, 6, 7, 8, 9), 2, 1)]).toEqual([7, 8]);
  });

  it('shows every caption of an image sooner or later', () => {
    const shown = new Set(Array.from({ length: 40 }, (_, epoch) => captionChoice(1, epoch, 7, 5)));
    expect([...shown].sort()).toEqual([0, 1, 2, 3, 4]);
  });
});
