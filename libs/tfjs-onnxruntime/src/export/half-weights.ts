/** Stores the large float32 constants of a model in half precision; a Cast brings each back where it is used. */
import { ONNX_ELEMENT } from '../graph/value.js';
import type { ModelMessage } from '../onnx/types.js';

/** Smaller tensors (biases, scales) stay float32: they affect the results more than the size of the file. */
const MIN_ELEMENTS = 1024;

export function halveWeights(message: ModelMessage): void {
  const casts: ModelMessage['graph']['node'] = [];
  for (const tensor of message.graph.initializer) {
    if (tensor.rawData === undefined) continue;
    const elements = tensor.rawData.byteLength / 4;
    if (tensor.dataType !== ONNX_ELEMENT.float32 || elements < MIN_ELEMENTS) continue;
    const name = tensor.name!;
    const source = new Float32Array(tensor.rawData.buffer, tensor.rawData.byteOffset, elements);
    const half = new Uint16Array(elements);
    for (let i = 0; i < elements; i++) half[i] = toHalf(source[i]!);
    tensor.name = `${name}_fp16`;
    tensor.dataType = ONNX_ELEMENT.float16;
    tensor.rawData = new Uint8Array(half.buffer);
    const to = { name: 'to', type: 2, i: ONNX_ELEMENT.float32 };
    casts.push({
      opType: 'Cast',
      name: `${name}_cast`,
      input: [tensor.name],
      output: [name],
      attribute: [to],
    });
  }
  message.graph.node = [...casts, ...message.graph.node];
}

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** IEEE 754 binary16, rounded to nearest even. */
export function toHalf(x: number): number {
  floats[0] = x;
  const b = bits[0]!;
  const sign = (b >>> 16) & 0x8000;
  const exponent = ((b >>> 23) & 0xff) - 112;
  const mantissa = b & 0x7fffff;
  if (exponent >= 31) return sign | 0x7c00 | (exponent === 143 && mantissa !== 0 ? 0x200 : 0);
  if (exponent < -10) return sign;
  // Below the normal range the leading one becomes explicit and moves right.
  const significand = exponent > 0 ? mantissa | (exponent << 23) : mantissa | 0x800000;
  const shift = exponent > 0 ? 13 : 14 - exponent;
  const rest = significand & ((1 << shift) - 1);
  const halfway = 1 << (shift - 1);
  const rounded = significand >>> shift;
  return sign | (rounded + (rest > halfway || (rest === halfway && (rounded & 1) === 1) ? 1 : 0));
}
