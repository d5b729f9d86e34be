/** Half precision (IEEE 754 binary16), which some published ONNX models take and give. */
import { convertToFloat32 } from '../safetensors/index.js';

/** The bits of each value as half precision, rounded to the nearest, ties to even; what is too large becomes infinite. */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, halfBits);
}

function halfBits(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const exponent = ((single >>> 23) & 0xff) - 127 + 15;
  const fraction = single & 0x7fffff;
  if (exponent >= 31) {
    const isNaN = exponent === 0xff - 127 + 15 && fraction !== 0;
    return sign | 0x7c00 | (isNaN ? 0x200 : 0);
  }
  // The fraction with its leading one, and how many of its bits do not fit: more for subnormal numbers.
  const shift = exponent > 0 ? 13 : 14 - exponent;
  if (shift > 24) return sign;
  const whole = exponent > 0 ? (exponent << 23) | fraction : fraction | 0x800000;
  const half = 1 << (shift - 1);
  const isOdd = (whole >>> shift) & 1;
  return sign | ((whole + half - 1 + isOdd) >>> shift);
}

/** Half precision as ONNX Runtime gives it: bits, or numbers where the engine has Float16Array. */
export function fromHalf(data: unknown): Float32Array | undefined {
  if (data instanceof Uint16Array) {
    const values = new Float32Array(data.length);
    convertToFloat32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 'F16', values, 0);
    return values;
  }
  return ArrayBuffer.isView(data) ? Float32Array.from(data as unknown as ArrayLike<number>) : undefined;
}
