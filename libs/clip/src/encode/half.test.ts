import { describe, expect, it } from 'vitest';
import { fromHalf, toHalf } from './half.js';

describe('half precision', () => {
  it('rounds every class of number to the nearest, ties to even', () => {
    const cases: [number, number][] = [
      [0, 0x0000],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [65520, 0x7c00],
      [1e9, 0x7c00],
      [-Infinity, 0xfc00],
      [NaN, 0x7e00],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [2 ** -25, 0x0000],
      [1.5 * 2 ** -24, 0x0002],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [1e-40, 0x0000],
    ];
    const values = Float32Array.from(cases, ([value]) => value);
    expect([...toHalf(values)]).toEqual(cases.map(([, bits]) => bits));
  });

  it('gives every half number back as itself', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits).filter(
      (bits) => (bits & 0x7c00) !== 0x7c00 || (bits & 0x3ff) === 0,
    );
    expect(toHalf(fromHalf(all)!)).toEqual(all);
  });
});
