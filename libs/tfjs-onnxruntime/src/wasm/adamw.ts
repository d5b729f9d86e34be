/**
 * AdamW (Loshchilov & Hutter 2019) in place over WebAssembly memory with 128-bit SIMD: it reads parameter, m, v and
 * gradient once and writes three of them once, where a chain of graph ops passes over memory many times.
 */
import { moduleWithFunction, wasm, type LocalType } from './assemble.js';

/** Scalars of one call, in PyTorch's arithmetic. */
interface AdamWScalars {
  lr: number;
  clip: number;
  correction1: number;
  correction2: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/** Byte offsets of the four tensors, 16-byte aligned, and their length padded to a multiple of 4. */
export type AdamWKernel = (
  offsets: { param: number; m: number; v: number; grad: number },
  paddedLength: number,
  scalars: AdamWScalars,
) => void;

const POINTERS = ['param', 'm', 'v', 'grad', 'end'] as const;
/** Moments below this are zero; their step would be far below the parameter's precision. */
const TINY = 1e-30;
const FACTORS = [
  'clip',
  'beta1',
  'oneMinusBeta1',
  'beta2',
  'oneMinusBeta2',
  'correction2',
  'epsilon',
  'rate',
  'decay',
  'tiny',
] as const;

function buildModule(): WebAssembly.Module {
  const { get, set, tee, load, store, mul, add, sub, div, sqrt, splat, and, abs, greater } = wasm;
  const pointer = (name: (typeof POINTERS)[number]): number => POINTERS.indexOf(name);
  const scalar = (name: (typeof FACTORS)[number]): number => POINTERS.length + FACTORS.indexOf(name);
  const lanes = (name: (typeof FACTORS)[number]): number => scalar(name) + FACTORS.length;
  const g = POINTERS.length + 2 * FACTORS.length;
  const [m, v] = [g + 1, g + 2];
  const params: LocalType[] = [...POINTERS.map(() => 'i32' as const), ...FACTORS.map(() => 'f32' as const)];
  const locals: LocalType[] = [...FACTORS, 'g', 'm', 'v'].map(() => 'v128');
  const value = (name: (typeof FACTORS)[number]): number[] => get(lanes(name));
  const read = (name: (typeof POINTERS)[number]): number[] => [...get(pointer(name)), ...load];
  const advance = (name: (typeof POINTERS)[number]): number[] => [
    ...get(pointer(name)),
    ...wasm.constI32(16),
    ...wasm.addI32,
    ...set(pointer(name)),
  ];
  const body = [
    // g = grad·clip
    ...[...read('grad'), ...value('clip'), ...mul, ...set(g)],
    // m = m·β₁ + g·(1 − β₁)
    ...get(pointer('m')),
    ...[
      ...read('m'),
      ...value('beta1'),
      ...mul,
      ...get(g),
      ...value('oneMinusBeta1'),
      ...mul,
      ...add,
      ...set(m),
    ],
    // Moments of rarely used rows decay towards denormals, which are slow; below TINY they are set to zero.
    ...[...get(m), ...get(m), ...abs, ...value('tiny'), ...greater, ...and, ...tee(m)],
    ...store,
    // v = v·β₂ + g²·(1 − β₂)
    ...get(pointer('v')),
    ...[...read('v'), ...value('beta2'), ...mul],
    ...[...get(g), ...get(g), ...mul, ...value('oneMinusBeta2'), ...mul, ...add, ...set(v)],
    ...[...get(v), ...get(v), ...value('tiny'), ...greater, ...and, ...tee(v)],
    ...store,
    // param = param·(1 − lr·λ) − lr·c₁·m / (√(v·c₂) + ε)
    ...get(pointer('param')),
    ...[...read('param'), ...value('decay'), ...mul],
    ...[...get(m), ...value('rate'), ...mul],
    ...[...get(v), ...value('correction2'), ...mul, ...sqrt, ...value('epsilon'), ...add, ...div, ...sub],
    ...store,
    ...(['param', 'm', 'v', 'grad'] as const).flatMap(advance),
  ];
  const code = [
    ...FACTORS.flatMap((name) => [...get(scalar(name)), ...splat, ...set(lanes(name))]),
    ...wasm.loopWhile(body, [...get(pointer('param')), ...get(pointer('end')), ...wasm.lessThanUnsigned]),
  ];
  return new WebAssembly.Module(moduleWithFunction('adamw', params, locals, code));
}

let compiled: WebAssembly.Module | undefined;

/** The kernel over one memory. */
export function createAdamW(memory: WebAssembly.Memory): AdamWKernel {
  compiled ??= buildModule();
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const run = instance.exports.adamw as (...args: number[]) => void;
  return ({ param, m, v, grad }, paddedLength, s) => {
    if (paddedLength === 0) return;
    const factors = [s.clip, s.beta1, 1 - s.beta1, s.beta2, 1 - s.beta2, s.correction2, s.epsilon];
    const step = [s.lr * s.correction1, 1 - s.lr * s.weightDecay, TINY];
    run(param, m, v, grad, param + 4 * paddedLength, ...factors, ...step);
  };
}
