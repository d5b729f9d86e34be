import { describe, expect, it } from 'vitest';
import { exp } from '../graph/ops.js';
import { materialised } from '../graph/value.js';
import { GraphRunner } from './graph-runner.js';

describe('GraphRunner', () => {
  it('keeps a bounded number of sessions when shapes keep changing', () => {
    const runner = new GraphRunner(4, {});
    for (let n = 1; n < 12; n++) {
      const y = exp(materialised('float32', [n], new Float32Array(n)));
      runner.compute([y]);
      expect(y.data).toEqual(new Float32Array(n).fill(1));
      expect(runner.sessions.size).toBe(Math.min(n, 4));
    }
    expect(runner.sessions).toMatchObject({ hits: 0, misses: 11, evictions: 7 });
    runner.sessions.clear();
  });
});
