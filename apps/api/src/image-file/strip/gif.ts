/** GIF89a: keeps pictures, their timing and the number of rounds; comments, XMP, plain text and what follows the end go. */
import { DamagedStructure, PartList, within } from './parts.js';
import type { Part } from './parts.js';

const HEADER = 13;
const GRAPHIC_CONTROL = 0xf9;
const APPLICATION = 0xff;
const LOOPING = ['NETSCAPE2.0', 'ANIMEXTS1.0'];

export function stripGif(bytes: Buffer): Part[] {
  const list = new PartList();
  let at = within(bytes, HEADER + tableSize(bytes[within(bytes, HEADER) - 3]!));
  list.keep(0, at);
  while (at < bytes.length) {
    const start = at;
    const kind = bytes[at];
    if (kind === 0x3b) {
      list.keep(start, start + 1);
      return list.parts;
    }
    if (kind === 0x2c) {
      const flags = bytes[within(bytes, start + 10) - 1]!;
      at = endOfBlocks(bytes, start + 10 + tableSize(flags) + 1);
      list.keep(start, at);
    } else if (kind === 0x21) {
      at = endOfBlocks(bytes, start + 2);
      if (isKept(bytes, start)) list.keep(start, at);
    } else throw new DamagedStructure('an unknown block');
  }
  throw new DamagedStructure('no end of the image');
}

function isKept(bytes: Buffer, start: number): boolean {
  const label = bytes[start + 1];
  if (label === GRAPHIC_CONTROL) return true;
  return label === APPLICATION && LOOPING.includes(bytes.toString('latin1', start + 3, start + 14));
}

/** Bytes of a colour table. */
function tableSize(flags: number): number {
  return (flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1);
}

/** The position after blocks that each begin with their length; one of length 0 is the last. */
function endOfBlocks(bytes: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const length = bytes[within(bytes, at + 1) - 1]!;
    at = within(bytes, at + 1 + length);
    if (length === 0) return at;
  }
}
