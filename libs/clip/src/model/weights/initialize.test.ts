import { describe, expect, it } from 'vitest';
import type { Initializer, TensorSpec } from '../types.js';
import { initTensor, initWeights } from './initialize.js';

const specOf = (name: string, shape: number[], init: Initializer): TensorSpec => ({
  name,
  shape,
  init,
  trainable: true,
});

const draw = (init: Initializer, shape = [400, 50], seed = 1) =>
  initTensor(specOf('w', shape, init), seed).data as Float32Array;

function moments(values: Float32Array): { mean: number; std: number; largest: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { mean, std: Math.sqrt(variance), largest };
}

describe('initialisers', () => {
  it('normal has the standard deviation asked for, and a zero row for padding', () => {
    const values = draw({ kind: 'normal', std: 0.02, zeroRow: 3 });
    expect(moments(values).mean).toBeCloseTo(0, 3);
    expect(moments(values).std).toBeCloseTo(0.02, 3);
    expect(values.slice(150, 200).every((value) => value === 0)).toBe(true);
    expect(values[149]).not.toBe(0);
  });

  it('truncated normal stays within its limit', () => {
    expect(moments(draw({ kind: 'truncatedNormal', std: 1 })).largest).toBeLessThanOrEqual(2);
    expect(moments(draw({ kind: 'truncatedNormal', std: 0.1, limit: 0.2 })).largest).toBeLessThanOrEqual(0.2);
  });

  it('uniform fills its range', () => {
    const { std, largest } = moments(draw({ kind: 'uniform', bound: 0.3 }));
    expect(largest).toBeLessThanOrEqual(0.3);
    expect(std).toBeCloseTo(0.3 / Math.sqrt(3), 2);
  });

  it('the same seed and name give the same bytes; another seed or name do not', () => {
    const init = { kind: 'normal', std: 1 } as const;
    const [first, again] = [draw(init), draw(init)];
    expect(again).toEqual(first);
    expect(draw(init, [400, 50], 2)).not.toEqual(first);
    expect(initTensor(specOf('v', [400, 50], init), 1).data).not.toEqual(first);
  });

  it('these very numbers, so that a checkpoint from scratch can be made again', () => {
    expect([...draw({ kind: 'normal', std: 1 }, [3], 0)].map((value) => value.toFixed(5)))
      .toMatchInlineSnapshot(`
      [
        "-0.28959",
        "0.24065",
        "-0.02130",
      ]
    `);
  });

  it('a tensor does not depend on its neighbours', () => {
    const a = specOf('a', [4], { kind: 'normal', std: 1 });
    const b = specOf('b', [4], { kind: 'normal', std: 1 });
    expect(initWeights([b, a], 1).a).toEqual(initWeights([a], 1).a);
  });
});
