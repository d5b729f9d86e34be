import { describe, expect, it } from 'vitest';
import { add, exp } from './ops.js';
import { order } from './order.js';
import { matMul } from './products.js';
import { placeholder, type Value } from './value.js';
import { threadsFor } from './work.js';

const input = (...shape: number[]) => placeholder('x', 'float32', shape);
const threadsOf = (wanted: Value) => threadsFor(order([wanted]).nodes).intraOpNumThreads;

describe('the session of a graph', () => {
  it('has one thread when every op is short, however many there are', () => {
    let value: Value = input(64, 64);
    for (let n = 0; n < 1000; n++) value = exp(value);
    expect(threadsOf(value)).toBe(1);
    expect(threadsOf(matMul(input(64, 64), input(64, 64)))).toBe(1);
  });

  it('has the default of the backend when one op is long', () => {
    expect(threadsOf(add(exp(input(512, 512)), 1))).toBeUndefined();
    expect(threadsOf(exp(matMul(input(128, 128), input(128, 128))))).toBeUndefined();
  });
});
