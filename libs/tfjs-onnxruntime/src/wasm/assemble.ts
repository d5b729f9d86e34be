/**
 * Writes WebAssembly modules (core spec 2.0, binary format) with one exported function that runs over memory it
 * imports as env.memory. It covers what a SIMD loop needs.
 */

const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
export type LocalType = 'i32' | 'f32' | 'v128';
const TYPE_CODES: Readonly<Record<LocalType, number>> = { i32: I32, f32: F32, v128: V128 };

/** Unsigned LEB128. */
function unsigned(n: number): number[] {
  const bytes: number[] = [];
  do {
    const low = n & 0x7f;
    n >>>= 7;
    bytes.push(n === 0 ? low : low | 0x80);
  } while (n !== 0);
  return bytes;
}

const text = (s: string): number[] => [...unsigned(s.length), ...Buffer.from(s)];
const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
];
const section = (id: number, bytes: readonly number[]): number[] => [id, ...unsigned(bytes.length), ...bytes];

/** Instructions, as the bytes of the specification's index. */
export const wasm = {
  get: (local: number) => [0x20, ...unsigned(local)],
  set: (local: number) => [0x21, ...unsigned(local)],
  tee: (local: number) => [0x22, ...unsigned(local)],
  constI32: (n: number) => [0x41, ...signed(n)],
  addI32: [0x6a],
  lessThanUnsigned: [0x49],
  load: [0xfd, ...unsigned(0), 4, 0], // v128.load, 16-byte alignment
  store: [0xfd, ...unsigned(11), 4, 0],
  splat: [0xfd, ...unsigned(19)],
  greater: [0xfd, ...unsigned(68)],
  and: [0xfd, ...unsigned(78)],
  abs: [0xfd, ...unsigned(224)],
  sqrt: [0xfd, ...unsigned(227)],
  add: [0xfd, ...unsigned(228)],
  sub: [0xfd, ...unsigned(229)],
  mul: [0xfd, ...unsigned(230)],
  div: [0xfd, ...unsigned(231)],
  /** Runs the body, then again while the condition (an i32 on the stack) is not zero. */
  loopWhile: (body: readonly number[], condition: readonly number[]) => [
    0x03,
    0x40,
    ...body,
    ...condition,
    0x0d,
    0,
    0x0b,
  ],
};

/** Signed LEB128 of a small non-negative number. */
function signed(n: number): number[] {
  const bytes = unsigned(n);
  return (bytes[bytes.length - 1]! & 0x40) === 0
    ? bytes
    : [...bytes.slice(0, -1), bytes[bytes.length - 1]! | 0x80, 0];
}

/** The bytes of a module that exports `name`(params) → nothing. */
export function moduleWithFunction(
  name: string,
  params: readonly LocalType[],
  locals: readonly LocalType[],
  code: readonly number[],
): Uint8Array<ArrayBuffer> {
  const functionType = [0x60, ...vector(params.map((t) => [TYPE_CODES[t]])), 0];
  const memoryImport = [...text('env'), ...text('memory'), 0x02, 0x00, 0x01];
  const body = [...vector(locals.map((t) => [1, TYPE_CODES[t]])), ...code, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([functionType])),
    ...section(2, vector([memoryImport])),
    ...section(3, vector([[0]])),
    ...section(7, vector([[...text(name), 0x00, 0]])),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
  ]);
}
