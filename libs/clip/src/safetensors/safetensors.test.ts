import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GOLDEN } from '../../test/golden-folders.js';
import { convertToFloat32 } from './dtype.js';
import { SafetensorsFile } from './file.js';
import { writeSafetensors } from './write.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-safetensors-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function rawFile(
  json: string,
  dataBytes: number,
  length = BigInt(Buffer.byteLength(json)),
): Promise<string> {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length);
  const path = join(folder, 'raw.safetensors');
  await writeFile(path, Buffer.concat([prefix, Buffer.from(json), Buffer.alloc(dataBytes)]));
  return path;
}

const f32 = (shape: number[], begin: number, end: number) =>
  JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, end] });

describe('writeSafetensors and SafetensorsFile', () => {
  it('give back what was written: values, shapes, metadata, scalars and empty tensors', async () => {
    const path = join(folder, 'x.safetensors');
    await writeSafetensors(
      path,
      [
        { name: 'b.weight', dtype: 'F32', shape: [2, 2], data: new Float32Array([1, -2, 3.5, 4e-20]) },
        { name: 'a.flag', dtype: 'BOOL', shape: [3], data: new Uint8Array([1, 0, 1]) },
        { name: 'step', dtype: 'I64', shape: [], data: async () => new BigInt64Array([7n]) },
        { name: 'empty', dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
      ],
      { format: 'pt' },
    );
    const file = await SafetensorsFile.open(path);
    expect(file.metadata).toEqual({ format: 'pt' });
    expect([...file.tensors.keys()]).toEqual(
      ['step', 'b.weight', 'empty', 'a.flag'].sort((a, b) => order(a) - order(b)),
    );
    expect(await file.readFloat32('b.weight')).toEqual(new Float32Array([1, -2, 3.5, 4e-20]));
    expect(await file.readFloat32('a.flag')).toEqual(new Float32Array([1, 0, 1]));
    expect(await file.readFloat32('step')).toEqual(new Float32Array([7]));
    expect(await file.readFloat32('empty')).toEqual(new Float32Array(0));
    expect(file.tensors.get('b.weight')).toMatchObject({ dtype: 'F32', shape: [2, 2], byteLength: 16 });
    expect(file.tensors.get('b.weight')!.byteOffset % 8).toBe(0);
    await file.close();

    function order(name: string): number {
      return file.tensors.get(name)!.byteOffset + (name === 'empty' ? -0.5 : 0);
    }
  });

  it('write the same bytes whatever the order of the entries', async () => {
    const a = { name: 'a', dtype: 'F32', shape: [1], data: new Float32Array([1]) } as const;
    const b = { name: 'b', dtype: 'F32', shape: [1], data: new Float32Array([2]) } as const;
    await writeSafetensors(join(folder, '1'), [a, b], { x: '1', y: '2' });
    await writeSafetensors(join(folder, '2'), [b, a], { y: '2', x: '1' });
    expect(await readFile(join(folder, '1'))).toEqual(await readFile(join(folder, '2')));
  });

  it('copy a file tensor by tensor without a change to any tensor', async () => {
    const from = join(folder, 'from');
    const half = new Uint8Array([0x00, 0x3c, 0xff, 0x7e, 0x01, 0x00]);
    await writeSafetensors(from, [{ name: 'h', dtype: 'F16', shape: [3], data: half }]);
    const source = await SafetensorsFile.open(from);
    const entries = [...source.tensors].map(([name, { dtype, shape }]) => ({
      name,
      dtype,
      shape,
      data: () => source.readBytes(name),
    }));
    await writeSafetensors(join(folder, 'to'), entries);
    await source.close();
    expect(await readFile(join(folder, 'to'))).toEqual(await readFile(from));
  });

  it('leave no file when the data of one tensor does not fit', async () => {
    const path = join(folder, 'x.safetensors');
    const writing = writeSafetensors(path, [
      { name: 'good', dtype: 'F32', shape: [1], data: new Float32Array(1) },
      { name: 'short', dtype: 'F32', shape: [3], data: new Float32Array(2) },
    ]);
    await expect(writing).rejects.toThrow('"short" does not fit F32 [3]: expected 12 bytes, found 8');
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuse a name that is used twice', async () => {
    const entry = { name: 'w', dtype: 'F32', shape: [], data: new Float32Array(1) } as const;
    await expect(writeSafetensors(join(folder, 'x'), [entry, entry])).rejects.toThrow('"w" is used twice');
  });

  it('name the tensors that there are when asked for another', async () => {
    const path = await rawFile(`{"w":${f32([1], 0, 4)}}`, 4);
    const file = await SafetensorsFile.open(path);
    await expect(file.readFloat32('v')).rejects.toMatchObject({ code: 'SAFETENSORS_TENSOR_NOT_FOUND' });
    await expect(file.readFloat32('v')).rejects.toThrow('1 tensors: w');
    await file.close();
  });
});

describe('convertToFloat32', () => {
  it('converts every half-precision class: normal, subnormal, infinities, NaN, both zeros', () => {
    const bits = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x83ff, 0x7c00, 0xfc00, 0x7e00, 0x0000, 0x8000];
    const out = new Float32Array(bits.length);
    convertToFloat32(new Uint8Array(new Uint16Array(bits).buffer), 'F16', out, 0);
    expect([...out]).toEqual([1, -2, 65504, 2 ** -24, -1023 * 2 ** -24, Infinity, -Infinity, NaN, 0, -0]);
  });

  it('converts the other types, at odd alignments too', () => {
    const convert = (
      values: ArrayBufferView,
      dtype: Parameters<typeof convertToFloat32>[1],
      count: number,
    ) => {
      const shifted = new Uint8Array(values.byteLength + 1);
      shifted.set(new Uint8Array(values.buffer), 1);
      const out = new Float32Array(count);
      convertToFloat32(shifted.subarray(1), dtype, out, 0);
      return [...out];
    };
    expect(convert(new Uint16Array([0x3f80, 0xff80, 0x4049]), 'BF16', 3)).toEqual([1, -Infinity, 3.140625]);
    expect(convert(new Float64Array([0.5, -1e300]), 'F64', 2)).toEqual([0.5, -Infinity]);
    expect(convert(new Float32Array([0.25, -3]), 'F32', 2)).toEqual([0.25, -3]);
    expect(convert(new BigInt64Array([-5n]), 'I64', 1)).toEqual([-5]);
    expect(convert(new Int32Array([-5]), 'I32', 1)).toEqual([-5]);
    expect(convert(new Int16Array([-5]), 'I16', 1)).toEqual([-5]);
    expect(convert(new Int8Array([-5]), 'I8', 1)).toEqual([-5]);
    expect(convert(new Uint8Array([200]), 'U8', 1)).toEqual([200]);
  });
});

describe('a hostile or damaged file is refused with a reason', () => {
  const cases: [string, string, number, string][] = [
    ['a tensor that lies beyond the end', `{"w":${f32([2], 0, 8)}}`, 4, 'lies outside the file'],
    ['tensors that overlap', `{"a":${f32([2], 0, 8)},"b":${f32([2], 4, 12)}}`, 12, 'overlaps'],
    ['a hole between tensors', `{"a":${f32([1], 0, 4)},"b":${f32([1], 8, 12)}}`, 12, 'leaves a hole'],
    ['bytes after the last tensor', `{"a":${f32([1], 0, 4)}}`, 8, 'do not cover the data'],
    [
      'a shape that does not fit the range',
      `{"a":${f32([3], 0, 8)}}`,
      8,
      'expected 12 bytes for F32 [3], found 8',
    ],
    ['a shape whose product overflows', `{"a":${f32([2 ** 40, 2 ** 40], 0, 8)}}`, 8, 'does not fit'],
    ['a negative size', `{"a":${f32([-1], 0, 4)}}`, 4, 'non-negative integers'],
    ['a fractional offset', `{"a":${f32([1], 0.5, 4.5)}}`, 5, 'data_offsets'],
    ['offsets in the wrong order', `{"a":${f32([1], 4, 0)}}`, 4, 'lies outside the file'],
    ['an unknown type', '{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', 1, 'F8_E4M3'],
    [
      'a type that is a name of Object',
      '{"a":{"dtype":"constructor","shape":[1],"data_offsets":[0,1]}}',
      1,
      'constructor',
    ],
    ['a name used twice', `{"a":${f32([1], 0, 4)},"\\u0061":${f32([1], 0, 4)}}`, 4, '"a" twice'],
    ['metadata that is not strings', '{"__metadata__":{"x":1}}', 0, 'not a string'],
    ['a header that is a list', '[]', 0, 'not a JSON object'],
    ['a header that is not JSON', '{"a":', 0, 'not valid JSON'],
  ];
  it.each(cases)('%s', async (_name, json, dataBytes, message) => {
    const opening = SafetensorsFile.open(await rawFile(json, dataBytes));
    await expect(opening).rejects.toMatchObject({ code: 'SAFETENSORS_INVALID' });
    await expect(opening).rejects.toThrow(message);
  });

  it('a header longer than the file, or than 100 MB', async () => {
    await expect(SafetensorsFile.open(await rawFile('{}', 0, 3n))).rejects.toThrow('length of the header');
    await expect(SafetensorsFile.open(await rawFile('{}', 0, 1n << 63n))).rejects.toThrow(
      'length of the header',
    );
  });

  it('a file without even a length, a folder, and a file that is not there', async () => {
    await writeFile(join(folder, 'short'), 'abc');
    await expect(SafetensorsFile.open(join(folder, 'short'))).rejects.toThrow('too short');
    await expect(SafetensorsFile.open(folder)).rejects.toMatchObject({ code: 'SAFETENSORS_INVALID' });
    await expect(SafetensorsFile.open(join(folder, 'none'))).rejects.toMatchObject({
      code: 'CHECKPOINT_NOT_FOUND',
    });
  });

  it('a tensor named __proto__ is a tensor like any other', async () => {
    const file = await SafetensorsFile.open(await rawFile(`{"__proto__":${f32([1], 0, 4)}}`, 4));
    expect([...file.tensors.keys()]).toEqual(['__proto__']);
    await file.close();
  });
});

describe('files of the Python writer', () => {
  it('opens a half-precision checkpoint and converts it', async () => {
    const file = await SafetensorsFile.open(join(GOLDEN, 'half-precision/bert/model.safetensors'));
    const [name, info] = [...file.tensors].find(([key]) => key.endsWith('word_embeddings.weight'))!;
    expect(info.dtype).toBe('F16');
    const values = await file.readFloat32(name);
    expect(values.length).toBe(info.shape[0]! * info.shape[1]!);
    expect(values.every((value) => Number.isFinite(value) && Math.abs(value) < 10)).toBe(true);
    await file.close();
  });
});
