/**
 * The header of a safetensors file: parse and check, or build.
 *
 * Format: u64 little-endian header length, then that many bytes of JSON
 * `{"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets": [begin, end]}}`, then the data.
 * The checks are those of the reference reader: header of at most 100 MB that starts with `{`, offsets that
 * cover the data without hole or overlap, and each range as long as its dtype and shape ask for. Duplicate
 * names, which a JSON parser would silently drop, are refused as well. A file from the network is untrusted
 * until it has passed.
 */
import { ClipError, type ClipErrorDetails } from '../errors.js';
import { DTYPE_BYTES, isSafetensorsDtype, type SafetensorsDtype } from './dtype.js';

export const MAX_HEADER_BYTES = 100_000_000;
export const METADATA_KEY = '__metadata__';

/** Where a tensor lies: `byteOffset` counts from the start of the file. */
export interface TensorInfo {
  dtype: SafetensorsDtype;
  shape: readonly number[];
  byteOffset: number;
  byteLength: number;
}

export interface SafetensorsHeader {
  metadata: Readonly<Record<string, string>>;
  /** In the order of their data. */
  tensors: ReadonlyMap<string, TensorInfo>;
}

/** Number of elements of a shape; 1 for a scalar. May exceed the safe integers, which callers check. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Builds the error for a malformed file. */
export function invalidFile(path: string, what: string, details: ClipErrorDetails = {}): ClipError {
  return new ClipError('SAFETENSORS_INVALID', `${path}: ${what}`, {
    hint: 'Fetch or write the file again',
    ...details,
  });
}

/**
 * Parses the JSON of a header and checks it against the length of the file.
 * @param path named in errors
 * @param json the header's bytes
 * @param fileLength bytes of the whole file
 * @throws ClipError SAFETENSORS_INVALID
 */
export function parseHeader(path: string, json: Uint8Array, fileLength: number): SafetensorsHeader {
  let text: string;
  let root: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    root = JSON.parse(text);
  } catch (cause) {
    throw invalidFile(path, 'the header is not valid JSON in UTF-8', { cause });
  }
  if (!isRecord(root) || json[0] !== 0x7b) throw invalidFile(path, 'the header is not a JSON object');
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw invalidFile(path, `the header names ${JSON.stringify(duplicate)} twice`);

  const metadata = parseMetadata(path, root[METADATA_KEY]);
  const dataStart = 8 + json.byteLength;
  const dataLength = fileLength - dataStart;
  const entries = Object.entries(root)
    .filter(([name]) => name !== METADATA_KEY)
    .map(([name, value]) => parseTensor(path, name, value, dataLength))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);

  const tensors = new Map<string, TensorInfo>();
  let previousEnd = 0;
  for (const { name, dtype, shape, begin, end } of entries) {
    if (begin !== previousEnd) {
      throw invalidFile(
        path,
        `the data of ${JSON.stringify(name)} ${begin < previousEnd ? 'overlaps' : 'leaves a hole after'} the tensor before it`,
        {
          expected: `it to begin at byte ${previousEnd}`,
          found: `${begin}`,
        },
      );
    }
    tensors.set(name, { dtype, shape, byteOffset: dataStart + begin, byteLength: end - begin });
    previousEnd = end;
  }
  if (previousEnd !== dataLength) {
    throw invalidFile(path, 'the tensors do not cover the data', {
      expected: `${previousEnd} bytes of data`,
      found: `${dataLength}`,
    });
  }
  return { metadata, tensors };
}

function parseMetadata(path: string, value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw invalidFile(path, `${METADATA_KEY} is not an object`);
  const metadata: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw invalidFile(path, `${METADATA_KEY} holds a value that is not a string at ${JSON.stringify(key)}`);
    Object.defineProperty(metadata, key, { value: text, enumerable: true });
  }
  return metadata;
}

function parseTensor(path: string, name: string, value: unknown, dataLength: number) {
  const label = JSON.stringify(name);
  if (!isRecord(value)) throw invalidFile(path, `the entry of ${label} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isSafetensorsDtype(dtype)) {
    throw invalidFile(path, `tensor ${label} has an element type that is not supported`, {
      expected: `one of ${Object.keys(DTYPE_BYTES).join(', ')}`,
      found: JSON.stringify(dtype),
      hint: 'Convert the checkpoint to float32, float16 or bfloat16',
    });
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw invalidFile(path, `the shape of ${label} is not a list of non-negative integers`, {
      found: JSON.stringify(shape),
    });
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw invalidFile(path, `data_offsets of ${label} is not a pair of non-negative integers`, {
      found: JSON.stringify(offsets),
    });
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) {
    throw invalidFile(path, `the data of ${label} lies outside the file`, {
      expected: `0 ≤ begin ≤ end ≤ ${dataLength}`,
      found: `[${begin}, ${end}]`,
    });
  }
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
  if (bytes !== end - begin) {
    throw invalidFile(path, `the data of ${label} does not fit its type and shape`, {
      expected: `${bytes} bytes for ${dtype} [${shape.join(', ')}]`,
      found: `${end - begin}`,
    });
  }
  return { name, dtype, shape: Object.freeze(shape), begin, end };
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first key that the outermost object of a valid JSON text has twice. */
function duplicateKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let expectsKey = false;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
      if (depth === 1 && expectsKey) {
        const key = JSON.parse(json.slice(start, i + 1)) as string;
        if (seen.has(key)) return key;
        seen.add(key);
        expectsKey = false;
      }
    } else if (char === '{' || char === '[') {
      expectsKey = ++depth === 1;
    } else if (char === '}' || char === ']') {
      depth--;
    } else if (char === ',' && depth === 1) {
      expectsKey = true;
    }
  }
  return undefined;
}

/** A tensor's place in a file that is to be written. */
export interface TensorLayout {
  name: string;
  dtype: SafetensorsDtype;
  shape: readonly number[];
}

/**
 * Orders tensors as the reference writer does (wide elements first, so that each stays aligned; then by name)
 * and builds the header's bytes with the leading length, padded with spaces to a multiple of 8.
 */
export function buildHeader<T extends TensorLayout>(
  entries: readonly T[],
  metadata: Readonly<Record<string, string>>,
): { ordered: T[]; bytes: Uint8Array } {
  const ordered = [...entries].sort(
    (a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const fields: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    const pairs = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    fields.push(`"${METADATA_KEY}":{${pairs.join(',')}}`);
  }
  let begin = 0;
  for (const { name, dtype, shape } of ordered) {
    const end = begin + elementCount(shape) * DTYPE_BYTES[dtype];
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const json = Buffer.from(`{${fields.join(',')}}`, 'utf8');
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const bytes = Buffer.alloc(8 + padded, ' ');
  bytes.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(bytes, 8);
  return { ordered, bytes };
}

/**
 * The first bytes of a safetensors file, for writers that fill in the data themselves: tensor by tensor, in the order of
 * `entries`, right after the header. All entries must have one element type.
 */
export function safetensorsHeader(entries: readonly TensorLayout[]): Uint8Array {
  const { ordered, bytes } = buildHeader(entries, {});
  if (!ordered.every(({ name }, index) => name === entries[index]!.name)) {
    throw new RangeError('expected entries of one element type, sorted by name');
  }
  return bytes;
}
