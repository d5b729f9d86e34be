/**
 * JPEG (ITU-T T.81, annex B): keeps what decoding needs, the JFIF header without its thumbnail, the ICC profile and
 * Adobe's colour transform. Exif, XMP, IPTC, maker notes, comments, further images (MPF) and whatever follows the end
 * go. The orientation comes back in an Exif segment of its own.
 */
import { isProfile } from './icc.js';
import { DamagedStructure, PartList, orientationTiff, within } from './parts.js';
import type { Part } from './parts.js';

const EOI = 0xd9;
const SOS = 0xda;
const PROFILE = 'ICC_PROFILE\0';

/** Tables, frame headers and restart intervals: SOF0–15 with DHT and DAC among them, DQT, DNL, DRI, DHP, EXP. */
const isCoding = (marker: number) => (marker >= 0xc0 && marker <= 0xcf) || (marker >= 0xdb && marker <= 0xdf);
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7;

export function stripJpeg(bytes: Buffer, orientation: number): Part[] {
  const list = new PartList();
  if (bytes.readUInt16BE(0) !== 0xffd8) throw new DamagedStructure('no start of image');
  list.keep(0, 2);
  if (orientation > 1) list.insert(orientationSegment(orientation));
  let at = 2;
  let hasScan = false;
  const hasProfile = isProfile(profileOf(bytes));
  while (at < bytes.length) {
    const start = at;
    if (bytes[at] !== 0xff) throw new DamagedStructure('bytes between two segments');
    while (bytes[at] === 0xff) at++;
    const marker = within(bytes, at + 1) && bytes[at]!;
    at++;
    if (marker === EOI) {
      list.keep(start, at);
      return list.parts;
    }
    const end = within(bytes, at + bytes.readUInt16BE(within(bytes, at + 2) - 2));
    if (end < at + 2) throw new DamagedStructure('a segment shorter than its length');
    if (marker === SOS) {
      at = endOfScan(bytes, end);
      list.keep(start, at);
      hasScan = true;
      continue;
    }
    keepSegment(list, bytes, { start, marker, body: at + 2, end, hasProfile: hasProfile && !hasScan });
    at = end;
  }
  if (!hasScan) throw new DamagedStructure('no image');
  return list.parts;
}

function keepSegment(
  list: PartList,
  bytes: Buffer,
  {
    start,
    marker,
    body,
    end,
    hasProfile,
  }: { start: number; marker: number; body: number; end: number; hasProfile: boolean },
): void {
  const starts = (name: string) => bytes.toString('latin1', body, Math.min(end, body + name.length)) === name;
  if (isCoding(marker)) list.keep(start, end);
  else if (marker === 0xe0 && starts('JFIF\0') && end - body >= 14) list.insert(plainJfif(bytes, body));
  else if (marker === 0xe2 && starts(PROFILE) && hasProfile) list.keep(start, end);
  else if (marker === 0xee && starts('Adobe') && end - body === 12) list.keep(start, end);
  else if (marker < 0xe0 || (marker >= 0xf0 && marker < 0xfe))
    throw new DamagedStructure('an unknown segment');
}

/** The colour profile, whose pieces lie in segments before the first scan: name, number, count, bytes. */
function profileOf(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== SOS;) {
    if (bytes[at + 1] === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    const isPiece = bytes[at + 1] === 0xe2 && bytes.toString('latin1', at + 4, at + 16) === PROFILE;
    if (isPiece) {
      const number = bytes[at + 16] ?? 0;
      if (pieces[number] !== undefined) return Buffer.alloc(0);
      pieces[number] = bytes.subarray(at + 18, end);
    }
    at = end;
  }
  return Buffer.concat(pieces.filter((piece) => piece !== undefined));
}

/** The position of the next marker after the coded data of a scan, or the end of the file. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at !== -1; at = bytes.indexOf(0xff, at)) {
    const next = bytes[at + 1];
    if (next === undefined) break;
    if (next === 0xff) at += 1;
    else if (next === 0 || isRestart(next)) at += 2;
    else return at;
  }
  return bytes.length;
}

/** The JFIF header with its version and density, without a thumbnail. */
function plainJfif(bytes: Buffer, body: number): Buffer {
  return Buffer.concat([
    Buffer.from([0xff, 0xe0, 0, 16]),
    bytes.subarray(body, body + 12),
    Buffer.from([0, 0]),
  ]);
}

function orientationSegment(orientation: number): Buffer {
  const tiff = orientationTiff(orientation);
  const head = Buffer.from('\xff\xe1\0\0Exif\0\0', 'latin1');
  head.writeUInt16BE(2 + 6 + tiff.length, 2);
  return Buffer.concat([head, tiff]);
}
