/**
 * Complex numbers: a complex64 tensor is a pair of float32 tensors of its shape. Kernels that treat both parts alike
 * run once per part; multiplication, absolute value and the Fourier transforms are written out.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { OnnxRuntimeBackend } from '../backend/backend.js';
import { concat, filled, reshape, slice } from '../graph/layout.js';
import { add, binary, cast, div, equal, mul, op, sqrt, sub, unary, where } from '../graph/ops.js';
import { scalar, type Value } from '../graph/value.js';
import { defineRaw, type KernelDefinition } from './define.js';
import { MOVING_KERNELS } from './moving.js';

/** Linear in their complex operands, or only moving elements: f(a + ib) = f(a) + i·f(b). */
const PARTWISE = new Set([
  ...MOVING_KERNELS,
  ...['Add', 'AddN', 'Sub', 'Neg', 'Sum', 'Mean', 'Cumsum', 'PadV2', 'MirrorPad', 'ZerosLike'],
]);

const isComplex = (info: tf.TensorInfo | undefined): boolean => info?.dtype === 'complex64';

interface Complex {
  real: Value;
  imag: Value;
}

function partsOf(info: tf.TensorInfo, backend: OnnxRuntimeBackend): Complex {
  const { real, imag } = backend.complexParts(info);
  const part = (tensor: tf.TensorInfo): Value =>
    reshape(cast(backend.graphValue(tensor), 'float32'), info.shape);
  return { real: part(real), imag: part(imag) };
}

const makeComplex = ({ real, imag }: Complex, backend: OnnxRuntimeBackend): tf.TensorInfo =>
  backend.makeComplex(backend.makeTensor(real), backend.makeTensor(imag));

/** The inputs with complex tensors replaced by one of their parts; the part's shape is the tensor's. */
function selectPart(
  infos: tf.NamedTensorInfoMap,
  part: 'real' | 'imag',
  backend: OnnxRuntimeBackend,
): tf.NamedTensorInfoMap {
  const selected: tf.NamedTensorInfoMap = {};
  for (const [key, info] of Object.entries(infos)) {
    selected[key] = isComplex(info) ? { ...backend.complexParts(info!)[part], shape: info!.shape } : info;
  }
  return selected;
}

/** (a + ib)(c + id) = (ac − bd) + i(ad + bc) */
function multiply(x: Complex, y: Complex): Complex {
  return {
    real: sub(mul(x.real, y.real), mul(x.imag, y.imag)),
    imag: add(mul(x.real, y.imag), mul(x.imag, y.real)),
  };
}

/** What a kernel does when an input is complex64; undefined: the kernel does not take complex numbers. */
function complexVariant(definition: KernelDefinition): KernelDefinition['run'] | undefined {
  const { name, run } = definition;
  if (name === 'Multiply') {
    return ({ a, b }, _attrs, backend) =>
      makeComplex(multiply(partsOf(a!, backend), partsOf(b!, backend)), backend);
  }
  if (name === 'Cast') {
    return (infos, attrs, backend) => {
      const x = infos.x!;
      if (attrs.dtype === 'complex64') return makeComplex(partsOf(x, backend), backend);
      return run({ x: { ...backend.complexParts(x).real, shape: x.shape } }, attrs, backend);
    };
  }
  if (name === 'OnesLike') {
    return ({ x }, _attrs, backend) => {
      const part = (value: number): Value => filled(value, 'float32', x!.shape);
      return makeComplex({ real: part(1), imag: part(0) }, backend);
    };
  }
  if (!PARTWISE.has(name)) return undefined;
  return (infos, attrs, backend) => {
    const real = run(selectPart(infos, 'real', backend), attrs, backend);
    const imagAttrs = name === 'PadV2' ? { ...attrs, constantValue: 0 } : attrs;
    const imag = run(selectPart(infos, 'imag', backend), imagAttrs, backend);
    if (!Array.isArray(real)) return backend.makeComplex(real, imag as tf.TensorInfo);
    return real.map((part, i) => backend.makeComplex(part, (imag as tf.TensorInfo[])[i]!));
  };
}

/** The kernel, taking complex64 inputs too where that is defined. */
export function withComplex(definition: KernelDefinition): KernelDefinition {
  const complex = complexVariant(definition);
  if (complex === undefined) return definition;
  return {
    name: definition.name,
    run(infos, attrs, backend) {
      for (const key in infos) if (isComplex(infos[key])) return complex(infos, attrs, backend);
      if (definition.name === 'Cast' && attrs.dtype === 'complex64') {
        const real = cast(backend.graphValue(infos.x!), 'float32');
        return makeComplex({ real, imag: filled(0, 'float32', real.shape) }, backend);
      }
      return definition.run(infos, attrs, backend);
    },
  };
}

/** √(x² + y²) without underflow or overflow of the squares: m·√(1 + (n/m)²) with m the larger of |x| and |y|. */
function hypotenuse(x: Value, y: Value): Value {
  const larger = binary('Max', unary('Abs', x), unary('Abs', y));
  const smaller = binary('Min', unary('Abs', x), unary('Abs', y));
  const ratio = div(smaller, larger);
  return where(equal(larger, scalar(0)), larger, mul(larger, sqrt(add(mul(ratio, ratio), 1))));
}

/** Discrete Fourier transform along the last axis of a matrix [B, N]. The inverse divides by N. */
function fourier({ real, imag }: Complex, inverse: boolean): Complex {
  const [batch, n] = real.shape as [number, number];
  const pairs = concat([reshape(real, [batch, n, 1]), reshape(imag, [batch, n, 1])], 2);
  const axis = scalar(1, 'int64');
  const spectrum = op('DFT', [pairs, undefined, axis], [batch, n, 2], 'float32', {
    inverse: inverse ? 1 : 0,
  });
  const part = (i: number): Value =>
    reshape(slice(spectrum, [{ axis: 2, start: i, end: i + 1 }]), [batch, n]);
  return { real: part(0), imag: part(1) };
}

const fourierKernels = (['FFT', 'IFFT'] as const).map((name) =>
  defineRaw(name, ({ input }, _attrs, backend) => {
    const { real, imag } = partsOf(input!, backend);
    const n = real.shape.at(-1)!;
    const rows = real.shape.slice(0, -1).reduce((product, d) => product * d, 1);
    const matrix = (x: Value): Value => reshape(x, [rows, n]);
    const result = fourier({ real: matrix(real), imag: matrix(imag) }, name === 'IFFT');
    const back = (x: Value): Value => reshape(x, real.shape);
    return makeComplex({ real: back(result.real), imag: back(result.imag) }, backend);
  }),
);

export const complexKernels: KernelDefinition[] = [
  defineRaw('Complex', ({ real, imag }, _attrs, backend) =>
    makeComplex({ real: backend.graphValue(real!), imag: backend.graphValue(imag!) }, backend),
  ),
  ...(['real', 'imag'] as const).map((part) =>
    defineRaw(part === 'real' ? 'Real' : 'Imag', ({ input }, _attrs, backend) =>
      backend.makeTensor(partsOf(input!, backend)[part]),
    ),
  ),
  defineRaw('ComplexAbs', ({ x }, _attrs, backend) => {
    const { real, imag } = partsOf(x!, backend);
    return backend.makeTensor(hypotenuse(real, imag));
  }),
  ...fourierKernels,
];
