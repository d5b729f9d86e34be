/**
 * The regular files of a tar archive with their place in it, read from the headers alone (POSIX.1-1988 ustar,
 * POSIX.1-2001 pax paths, GNU long names). Contents are not read, so a shard of a gigabyte takes milliseconds.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { ClipError } from '../errors.js';

export interface TarMember {
  name: string;
  /** Of the content, in bytes from the start of the archive. */
  offset: number;
  size: number;
}

const BLOCK = 512;
/** Longest extended header that is read; names are far shorter. */
const MAX_EXTENDED = 1024 * 1024;

/** The members in their order. Throws ClipError DATASET_INVALID when the archive is damaged or cut off. */
export async function* tarMembers(path: string): AsyncGenerator<TarMember> {
  const file = await open(path);
  try {
    const { size: end } = await file.stat();
    const header = Buffer.alloc(BLOCK);
    let extendedName: string | undefined;
    let extendedSize: number | undefined;
    let position = 0;
    while (position + BLOCK <= end) {
      await file.read(header, 0, BLOCK, position);
      if (header.every((byte) => byte === 0)) return;
      if (!checksumHolds(header)) throw damaged(path, `no valid header at byte ${position}`);
      const type = String.fromCharCode(header[156]!);
      const size = extendedSize ?? number(header, 124, 12);
      const content = position + BLOCK;
      if (!Number.isSafeInteger(size) || size < 0 || content + size > end) {
        throw damaged(path, `the member at byte ${position} has ${size} bytes, more than the archive`);
      }
      if (type === 'L')
        extendedName = (await read(file, content, size, path)).toString('utf8').split('\0', 1)[0]!;
      else if (type === 'x') {
        const fields = paxFields(await read(file, content, size, path));
        extendedName = fields.get('path') ?? extendedName;
        extendedSize = fields.has('size') ? Number(fields.get('size')) : undefined;
      } else {
        if (type === '0' || type === '\0')
          yield { name: extendedName ?? ustarName(header), offset: content, size };
        extendedName = undefined;
        extendedSize = undefined;
      }
      position = content + Math.ceil(size / BLOCK) * BLOCK;
    }
    if (position < end) throw damaged(path, `${end - position} bytes are left after the last whole header`);
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, position: number, size: number, path: string): Promise<Buffer> {
  if (size > MAX_EXTENDED) throw damaged(path, `an extended header of ${size} bytes`);
  const bytes = Buffer.alloc(size);
  await file.read(bytes, 0, size, position);
  return bytes;
}

const text = (header: Buffer, start: number, length: number): string => {
  const end = header.indexOf(0, start);
  return header.toString('utf8', start, end === -1 || end > start + length ? start + length : end);
};

function ustarName(header: Buffer): string {
  const name = text(header, 0, 100);
  const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** An octal number, or, where the first bit is set, a big-endian one (GNU, for members beyond 8 GiB). */
function number(header: Buffer, start: number, length: number): number {
  if ((header[start]! & 0x80) === 0) return Number.parseInt(text(header, start, length).trim() || '0', 8);
  let value = header[start]! & 0x7f;
  for (let i = 1; i < length; i++) value = value * 256 + header[start + i]!;
  return value;
}

/** The sum of the header's bytes, with spaces in place of its own field. */
function checksumHolds(header: Buffer): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!;
  return sum === number(header, 148, 8);
}

/** Records `LENGTH KEY=VALUE\n`, where the length counts the whole record. */
function paxFields(bytes: Buffer): Map<string, string> {
  const fields = new Map<string, string>();
  for (let start = 0; start < bytes.length;) {
    const blank = bytes.indexOf(0x20, start);
    const length = Number.parseInt(bytes.toString('latin1', start, blank), 10);
    if (blank === -1 || !(length > 0)) break;
    const record = bytes.toString('utf8', blank + 1, start + length - 1);
    const equals = record.indexOf('=');
    if (equals > 0) fields.set(record.slice(0, equals), record.slice(equals + 1));
    start += length;
  }
  return fields;
}

function damaged(path: string, found: string): ClipError {
  return new ClipError('DATASET_INVALID', `the archive ${path} is damaged or cut off`, { found });
}
