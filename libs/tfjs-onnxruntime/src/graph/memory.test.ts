import { describe, expect, it } from 'vitest';
import { reshape } from './layout.js';
import { executionOrder, peakBytes } from './memory.js';
import { add, exp, mul, sqrt } from './ops.js';
import { order } from './order.js';
import { placeholder, type Value } from './value.js';

const KILOBYTE = 1024;
/** 1 KiB of float32. */
const x = placeholder('x', 'float32', [256]);
const peakOf = (wanted: Value[], elsewhere: Value[] = []) =>
  peakBytes(executionOrder(order(wanted).nodes), new Set(wanted), new Set(elsewhere)) / KILOBYTE;

describe('memory of a graph', () => {
  it('is what lies between an op and the last that reads its result', () => {
    expect(peakOf([exp(exp(exp(x)))])).toBe(2);
    const first = exp(x);
    expect(peakOf([mul(first, exp(exp(first)))])).toBe(3);
  });

  it('counts no views and nothing that the caller holds', () => {
    expect(peakOf([exp(reshape(exp(x), [16, 16]))])).toBe(2);
    const result = exp(exp(x));
    expect(peakOf([result], [result])).toBe(1);
  });

  it('runs the later of two outputs first', () => {
    const [early, late] = [exp(x), sqrt(x)];
    expect(executionOrder(order([early, late]).nodes).map(({ op }) => op)).toEqual(['Sqrt', 'Exp']);
    expect(executionOrder(order([add(early, late)]).nodes).map(({ op }) => op)).toEqual([
      'Sqrt',
      'Exp',
      'Add',
    ]);
  });
});
