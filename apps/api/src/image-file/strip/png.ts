/** PNG (W3C, third edition): keeps the chunks that drawing needs and drops all others, and what follows the last. */
import { crc32 } from 'node:zlib';
import { isCompressedProfile } from './icc.js';
import { DamagedStructure, PartList, orientationTiff, within } from './parts.js';
import type { Part } from './parts.js';

const KEPT = new Set(
  'IHDR PLTE IDAT IEND tRNS cHRM gAMA sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs acTL fcTL fdAT'.split(' '),
);
const SIGNATURE = 8;

export function stripPng(bytes: Buffer, orientation: number): Part[] {
  const list = new PartList();
  list.keep(0, within(bytes, SIGNATURE));
  for (let at = SIGNATURE; at < bytes.length;) {
    const length = bytes.readUInt32BE(within(bytes, at + 8) - 8);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const end = within(bytes, at + 12 + length);
    if (type === 'iCCP') {
      if (isCompressedProfile(bytes.subarray(at + 8, end - 4))) list.keep(at, end);
    } else if (KEPT.has(type)) list.keep(at, end);
    // Upper case: a chunk without which the image cannot be drawn.
    else if (!/^[a-z]/.test(type)) throw new DamagedStructure('an unknown critical chunk');
    if (type === 'IHDR' && orientation > 1) list.insert(chunk('eXIf', orientationTiff(orientation)));
    if (type === 'IEND') return list.parts;
    at = end;
  }
  throw new DamagedStructure('no end of the image');
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
