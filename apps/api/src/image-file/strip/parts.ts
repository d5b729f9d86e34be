/** What of a file is served: ranges of its bytes, and bytes put between them. The file is never copied as a whole. */

/** Bytes `start` to `end` (exclusive) of the file, or bytes of its own. */
export type Part = { start: number; end: number } | Buffer;

/** Parts of one file; a file that needs more has not come from a camera. */
const MAX_PARTS = 1000;

/** The file is not built as its format requires, so its structure does not show what it holds. */
export class DamagedStructure extends Error {
  override readonly name = 'DamagedStructure';
}

/** Collects parts in their order; neighbouring ranges become one. */
export class PartList {
  readonly parts: Part[] = [];

  keep(start: number, end: number): void {
    const last = this.parts.at(-1);
    if (last !== undefined && !Buffer.isBuffer(last) && last.end === start) last.end = end;
    else this.add({ start, end });
  }

  insert(bytes: Buffer): void {
    this.add(bytes);
  }

  private add(part: Part): void {
    if (this.parts.length === MAX_PARTS) throw new DamagedStructure('the file has too many parts');
    this.parts.push(part);
  }
}

/** Length of a part in bytes. */
export function lengthOf(part: Part): number {
  return Buffer.isBuffer(part) ? part.length : part.end - part.start;
}

/** Throws when `end` lies beyond the file. */
export function within(bytes: Buffer, end: number): number {
  if (end > bytes.length) throw new DamagedStructure('a part of the file ends beyond it');
  return end;
}

/** A TIFF structure (Exif 2.32, section 4.6) with the orientation and nothing else. */
export function orientationTiff(orientation: number): Buffer {
  const tiff = Buffer.alloc(26);
  tiff.write('II*\0', 'latin1');
  tiff.writeUInt32LE(8, 4);
  tiff.writeUInt16LE(1, 8);
  tiff.writeUInt16LE(0x0112, 10);
  tiff.writeUInt16LE(3, 12);
  tiff.writeUInt32LE(1, 14);
  tiff.writeUInt16LE(orientation, 18);
  return tiff;
}
