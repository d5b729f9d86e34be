/**
 * Element types of the safetensors format and their conversion to float32.
 *
 * Format: https://huggingface.co/docs/safetensors (little-endian, row-major).
 */

/** The element types that this package reads and writes. */
export type SafetensorsDtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<SafetensorsDtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

export function isSafetensorsDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value);
}

let halfTable: Float32Array | undefined;

/** All 65,536 half-precision values, built on first use (256 KiB). */
function halfValues(): Float32Array {
  if (halfTable !== undefined) return halfTable;
  const table = new Float32Array(1 << 16);
  for (let bits = 0; bits < 1 << 16; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 0x1f) table[bits] = fraction === 0 ? sign * Infinity : NaN;
    else table[bits] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  halfTable = table;
  return table;
}

/**
 * Converts a run of elements to float32.
 * @param bytes whole elements of `dtype`, at any alignment
 * @param out gets the values from `outOffset` (in elements) on
 *
 * Exact for F32, F16, BF16, I16, I8, U8, BOOL; F64, I64 and I32 are rounded to the nearest float32.
 */
export function convertToFloat32(
  bytes: Uint8Array,
  dtype: SafetensorsDtype,
  out: Float32Array,
  outOffset: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = DTYPE_BYTES[dtype];
  const count = bytes.byteLength / size;
  switch (dtype) {
    case 'F32':
      new Uint8Array(out.buffer, out.byteOffset + outOffset * 4, count * 4).set(bytes);
      return;
    case 'F16': {
      const table = halfValues();
      for (let i = 0; i < count; i++) out[outOffset + i] = table[view.getUint16(i * 2, true)]!;
      return;
    }
    case 'BF16': {
      // A bfloat16 is the upper half of a float32. Written through an integer view so that NaN payloads stay.
      const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
      for (let i = 0; i < count; i++) bits[outOffset + i] = view.getUint16(i * 2, true) << 16;
      return;
    }
    case 'F64':
      for (let i = 0; i < count; i++) out[outOffset + i] = view.getFloat64(i * 8, true);
      return;
    case 'I64':
      for (let i = 0; i < count; i++) out[outOffset + i] = Number(view.getBigInt64(i * 8, true));
      return;
    case 'I32':
      for (let i = 0; i < count; i++) out[outOffset + i] = view.getInt32(i * 4, true);
      return;
    case 'I16':
      for (let i = 0; i < count; i++) out[outOffset + i] = view.getInt16(i * 2, true);
      return;
    case 'I8':
      for (let i = 0; i < count; i++) out[outOffset + i] = view.getInt8(i);
      return;
    case 'U8':
    case 'BOOL':
      for (let i = 0; i < count; i++) out[outOffset + i] = bytes[i]!;
  }
}
