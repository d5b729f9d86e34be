import { describe, expect, it } from 'vitest';
import { fitCalibration, type JudgedPair } from './calibration.js';

const pair = (cosine: number, isRight: boolean, weight = 1): JudgedPair => ({ cosine, isRight, weight });

/** Pairs whose share of right ones at each cosine follows the curve. */
function drawn(slope: number, offset: number): JudgedPair[] {
  const cosines = Array.from({ length: 201 }, (_, i) => (i - 100) / 100);
  return cosines.flatMap((cosine) => {
    const probability = 1 / (1 + Math.exp(-(slope * cosine - offset)));
    return [pair(cosine, true, probability), pair(cosine, false, 1 - probability)];
  });
}

describe('calibration of labels', () => {
  it('finds the curve that pairs were drawn from where both sides weigh the same', () => {
    const { slope, offset } = fitCalibration(drawn(8, 0));
    expect(slope).toBeCloseTo(8, 1);
    expect(offset).toBeCloseTo(0, 6);
  });

  it('puts the middle between the sides, whichever has more pairs', () => {
    const right = [0.3, 0.4, 0.5, 0.2].map((cosine) => pair(cosine, true));
    const wrong = [0.1, 0.0, 0.2, 0.3].map((cosine) => pair(cosine, false));
    const even = fitCalibration([...right, ...wrong]);
    expect(even.offset / even.slope).toBeCloseTo(0.25, 2);
    const uneven = fitCalibration([...right, ...Array.from({ length: 10 }, () => wrong).flat()]);
    expect(uneven.slope).toBeCloseTo(even.slope, 4);
    expect(uneven.offset).toBeCloseTo(even.offset, 4);
  });

  it('stays finite where a threshold separates the sides, and where all cosines are equal', () => {
    for (const pairs of [
      [pair(0.9, true), pair(0.1, false)],
      [pair(0.5, true), pair(0.5, false)],
    ]) {
      const { slope, offset } = fitCalibration(pairs);
      expect(Number.isFinite(slope) && Number.isFinite(offset)).toBe(true);
    }
    expect(() => fitCalibration([pair(0.5, true)])).toThrow('needs right and wrong pairs');
  });
});
