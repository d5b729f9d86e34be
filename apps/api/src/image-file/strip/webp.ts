/** WebP (RFC 9649): keeps pictures, animation and ICC profile; Exif, XMP and unknown chunks go, and their flags. */
import { isProfile } from './icc.js';
import { DamagedStructure, PartList, lengthOf, orientationTiff, within } from './parts.js';
import type { Part } from './parts.js';

const KEPT = new Set(['VP8 ', 'VP8L', 'ALPH', 'ANIM', 'ANMF']);
const IN_FRAME = new Set(['VP8 ', 'VP8L', 'ALPH']);
const HEADER = 12;
const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;
const PROFILE_FLAG = 0x20;

export function stripWebp(bytes: Buffer, orientation: number): Part[] {
  const list = new PartList();
  const size = Math.min(bytes.length, 8 + bytes.readUInt32LE(within(bytes, HEADER) - 8));
  let isExtended = false;
  const hasProfile = hasPlainProfile(bytes, size);
  for (const { type, start, body, end } of chunks(bytes, HEADER, size)) {
    if (type === 'VP8X') {
      isExtended = true;
      list.insert(withFlags(bytes.subarray(start, end), orientation > 1, hasProfile));
    } else if (type === 'ICCP') {
      if (hasProfile) list.keep(start, end);
    } else if (KEPT.has(type)) {
      if (type === 'ANMF') checkFrame(bytes, body, end);
      list.keep(start, end);
    }
  }
  if (isExtended && orientation > 1) list.insert(exifChunk(orientation));
  const header = Buffer.from(bytes.subarray(0, HEADER));
  header.writeUInt32LE(4 + list.parts.reduce((sum, part) => sum + lengthOf(part), 0), 4);
  return [header, ...list.parts];
}

interface Chunk {
  type: string;
  start: number;
  body: number;
  /** Of the body. */
  length: number;
  /** With the byte that fills up to an even length. */
  end: number;
}

function* chunks(bytes: Buffer, from: number, to: number): Generator<Chunk> {
  for (let at = from; at < to;) {
    if (at + 8 > to) throw new DamagedStructure('half a chunk');
    const length = bytes.readUInt32LE(at + 4);
    const end = at + 8 + length + (length % 2);
    if (end > to) throw new DamagedStructure('a chunk ends beyond the file');
    yield { type: bytes.toString('latin1', at, at + 4), start: at, body: at + 8, length, end };
    at = end;
  }
}

/** A frame of an animation has chunks of its own after 16 bytes. */
function checkFrame(bytes: Buffer, body: number, end: number): void {
  for (const { type } of chunks(bytes, body + 16, end)) {
    if (!IN_FRAME.has(type)) throw new DamagedStructure('an unknown chunk in a frame');
  }
}

/** Whether the one colour profile of a file is a plain one. */
function hasPlainProfile(bytes: Buffer, size: number): boolean {
  const found = [...chunks(bytes, HEADER, size)].filter(({ type }) => type === 'ICCP');
  return (
    found.length === 1 && found.every(({ body, length }) => isProfile(bytes.subarray(body, body + length)))
  );
}

function withFlags(chunk: Buffer, hasExif: boolean, hasProfile: boolean): Buffer {
  if (chunk.length < 18) throw new DamagedStructure('a short VP8X chunk');
  const copy = Buffer.from(chunk);
  const kept = copy[8]! & ~(EXIF_FLAG | XMP_FLAG | (hasProfile ? 0 : PROFILE_FLAG));
  copy[8] = kept | (hasExif ? EXIF_FLAG : 0);
  return copy;
}

function exifChunk(orientation: number): Buffer {
  const tiff = orientationTiff(orientation);
  const head = Buffer.from('EXIF\0\0\0\0', 'latin1');
  head.writeUInt32LE(tiff.length, 4);
  return Buffer.concat([head, tiff]);
}
