import { describe, expect, it } from 'vitest';
import type { ParameterUpdate } from '../fused/adamw.js';
import { placeholder } from '../graph/value.js';
import { Arena } from '../wasm/arena.js';
import { LazyOptimizer } from './optimizer.js';
import type { PlannedUpdate } from './planned-update.js';
import type { StateSlot } from './state-slot.js';

const hyper = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
const scalars = { lr: 0.1, clip: 0.5, correction1: 1 / (1 - 0.9 ** 2), correction2: 1 / (1 - 0.999 ** 2) };

function setUp(length: number) {
  const numbers = (salt: number) => Float32Array.from({ length }, (_, i) => Math.sin(i + salt));
  const slot = (current: Float32Array): StateSlot => ({
    type: 'float32',
    shape: [length],
    current,
    next: undefined,
    device: undefined,
    lent: undefined,
  });
  const slots = new Map([
    ['p', slot(numbers(1))],
    ['m', slot(numbers(2))],
    ['v', slot(numbers(3).map(Math.abs))],
  ]);
  const any = placeholder('any', 'float32', [length]);
  const values = { param: any, m: any, v: any, newM: any, newV: any, grad: any, lr: any, clip: any };
  const update: ParameterUpdate = { ...values, correction1: any, correction2: any, ...hyper };
  const planned: PlannedUpdate = { ...update, names: { param: 'p', m: 'm', v: 'v' } };
  const expected = ['p', 'm', 'v'].map(() => new Float32Array(length));
  for (let i = 0; i < length; i++) {
    const g = Math.fround(Math.sin(i + 4)) * scalars.clip;
    const m = slots.get('m')!.current[i] as number;
    const v = slots.get('v')!.current[i] as number;
    const p = slots.get('p')!.current[i] as number;
    const m1 = m * hyper.beta1 + g * (1 - hyper.beta1);
    const v1 = v * hyper.beta2 + g * g * (1 - hyper.beta2);
    const denominator = Math.sqrt(v1 * scalars.correction2) + hyper.epsilon;
    const p1 =
      p * (1 - scalars.lr * hyper.weightDecay) - (scalars.lr * scalars.correction1 * m1) / denominator;
    [p1, m1, v1].forEach((x, k) => (expected[k]![i] = x));
  }
  return { slots, planned, expected, grad: numbers(4) };
}

describe('the optimiser outside the graph', () => {
  for (const length of [1, 3, 4, 1023, 20_000]) {
    it(`updates ${length} elements in place as the formula says`, async () => {
      const { slots, planned, expected, grad } = setUp(length);
      const home = new LazyOptimizer();
      home.prepare([planned], slots);
      home.gradientOf('p').set(grad);
      await home.apply([planned], slots, () => scalars);
      ['p', 'm', 'v'].forEach((name, k) => {
        slots.get(name)!.current.forEach((x, i) => {
          expect(Number(x)).toBeCloseTo(expected[k]![i]!, 5);
        });
      });
    });
  }

  it('copies blocks through a small memory when a buffer lies elsewhere', async () => {
    const { slots, planned, expected, grad } = setUp(20_001);
    const home = new LazyOptimizer();
    home.prepare([planned], slots);
    slots.get('m')!.current = slots.get('m')!.current.slice();
    home.gradientOf('p').set(grad);
    await home.apply([planned], slots, () => scalars);
    ['p', 'm', 'v'].forEach((name, k) => {
      slots.get(name)!.current.forEach((x, i) => {
        expect(Number(x)).toBeCloseTo(expected[k]![i]!, 5);
      });
    });
  });

  it('says so when tensors do not fit the address space', () => {
    expect(Arena.forLengths([2 ** 30, 2 ** 30])).toBeUndefined();
  });
});
