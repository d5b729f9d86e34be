/**
 * TIFF structures (TIFF 6.0; Exif 2.32, section 4.6), as Exif and TIFF files are built: numbers in the structure's own
 * byte order, and directories of entries. Nothing is read beyond the end, whatever the entries say.
 */

/** One entry of a directory. */
export interface TiffEntry {
  tag: number;
  type: number;
  /** Values, each of the size of its type. */
  count: number;
  /** Where the four bytes of the entry lie that hold the value, or its position. */
  field: number;
  /** Where the value lies: in the entry itself where it fits into four bytes. */
  at: number;
}

export interface Tiff {
  readonly bytes: Buffer;
  /** @throws RangeError beyond the bytes */
  readonly u16: (at: number) => number;
  /** @throws RangeError beyond the bytes */
  readonly u32: (at: number) => number;
}

/** How a structure begins, in either byte order. */
export const TIFF_STARTS: readonly Buffer[] = [
  Buffer.from('II*\0', 'latin1'),
  Buffer.from('MM\0*', 'latin1'),
];
const HEADER = 8;
const ENTRY = 12;
/** Bytes of a value by its type: BYTE, ASCII, SHORT, LONG, RATIONAL, the same with signs, FLOAT and DOUBLE. */
const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];

/** The structure that begins at the first byte; undefined when none does. */
export function openTiff(bytes: Buffer): Tiff | undefined {
  if (bytes.length < HEADER || !TIFF_STARTS.some((start) => bytes.subarray(0, 4).equals(start))) {
    return undefined;
  }
  return bytes[0] === 0x49
    ? { bytes, u16: (at) => bytes.readUInt16LE(at), u32: (at) => bytes.readUInt32LE(at) }
    : { bytes, u16: (at) => bytes.readUInt16BE(at), u32: (at) => bytes.readUInt32BE(at) };
}

/** Where the first directory lies. */
export const firstDirectory = (tiff: Tiff): number => tiff.u32(4);

/** The entries of a directory as far as the bytes go, and where the next one lies: 0 for none. */
export function directoryAt(tiff: Tiff, directory: number): { entries: TiffEntry[]; next: number } {
  const { bytes, u16, u32 } = tiff;
  const entries: TiffEntry[] = [];
  if (directory + 2 > bytes.length) return { entries, next: 0 };
  const first = directory + 2;
  const end = first + ENTRY * Math.min(u16(directory), Math.floor((bytes.length - first) / ENTRY));
  for (let at = first; at < end; at += ENTRY) {
    const [type, count] = [u16(at + 2), u32(at + 4)];
    const isInside = count * (SIZES[type] ?? 1) <= 4;
    const field = at + 8;
    entries.push({ tag: u16(at), type, count, field, at: isInside ? field : u32(field) });
  }
  return { entries, next: end + 4 <= bytes.length ? u32(end) : 0 };
}
