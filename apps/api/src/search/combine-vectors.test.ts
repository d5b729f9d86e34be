import { describe, expect, it } from 'vitest';
import { combineVectors } from './combine-vectors.js';

const x = Float32Array.of(1, 0, 0);
const y = Float32Array.of(0, 1, 0);
const once = (vector: Float32Array, weight = 1) => ({ vector, weight });
const close = (...values: number[]) => values.map((value) => expect.closeTo(value, 6) as number);

describe('a question out of several', () => {
  it('is the text itself when there is one', () => {
    expect(combineVectors([once(x, 7)], [])).toBe(x);
  });

  it('lies between the texts, nearer to those that weigh more', () => {
    expect([...combineVectors([once(x), once(y)], [])!]).toEqual(close(Math.SQRT1_2, Math.SQRT1_2, 0));
    expect([...combineVectors([once(x, 3), once(y, 4)], [])!]).toEqual(close(0.6, 0.8, 0));
    expect([...combineVectors([once(x, 30), once(y, 40)], [])!]).toEqual(close(0.6, 0.8, 0));
  });

  it('leans away from what is not wanted, by half', () => {
    const norm = Math.hypot(1, 0.5);
    expect([...combineVectors([once(x)], [y])!]).toEqual(close(1 / norm, -0.5 / norm, 0));
    expect([...combineVectors([once(x)], [y, y])!]).toEqual(close(1 / norm, -0.5 / norm, 0));
    expect([...combineVectors([once(x)], [x])!]).toEqual(close(1, 0, 0));
  });

  it('is nothing when its parts cancel each other', () => {
    expect(combineVectors([once(x), once(Float32Array.of(-1, 0, 0))], [])).toBeUndefined();
  });
});
