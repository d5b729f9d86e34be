/**
 * What an AVIF file (AV1 Image File Format 1.1; ISO/IEC 14496-12 and 23008-12) asks its decoder for, from its boxes and
 * the headers of its AV1 data. Single images are accepted, with or without alpha. Grids, overlays, sequences and whatever
 * else composes an image are not: the size of the result does not bound what they cost.
 */
import { largestFrame } from './av1.js';

/** A file that is no AVIF of one image; the message is the second half of a sentence about it. */
export class UnsupportedAvif extends Error {
  override readonly name = 'UnsupportedAvif';
}

interface Box {
  type: string;
  body: number;
  end: number;
}

/** The image, its alpha, and thumbnails of both. */
const MOST_IMAGES = 4;
const MOST_ITEMS = 32;
const MOST_BOXES = 256;
/** Of AV1, whose frame headers have 16 bits for it. */
const LONGEST_SIDE = 65_536;
/** Items beside images: metadata, which no decoder of pixels reads. */
const METADATA = new Set(['Exif', 'mime', 'uri ']);

/**
 * Width × height of the largest frame that decoding asks for.
 * @throws UnsupportedAvif; RangeError where the file ends too early
 */
export function largestAvifFrame(bytes: Buffer): number {
  const top = boxes(bytes, 0, bytes.length);
  const [meta, ...others] = top.filter(({ type }) => type === 'meta');
  if (top[0]?.type !== 'ftyp' || meta === undefined || others.length > 0)
    throw new UnsupportedAvif('has no description of one image');
  const parts = boxes(bytes, meta.body + 4, meta.end);
  checkSizes(bytes, only(parts, 'iprp'));
  const types = itemTypes(bytes, only(parts, 'iinf'));
  const images = [...types].filter(([, type]) => !METADATA.has(type));
  const composed = images.find(([, type]) => type !== 'av01');
  if (composed !== undefined) throw new UnsupportedAvif(`is composed of several (${printable(composed[1])})`);
  if (images.length === 0 || images.length > MOST_IMAGES)
    throw new UnsupportedAvif(`holds ${images.length} images`);
  const places = itemPlaces(bytes, only(parts, 'iloc'));
  const frames = images.map(([id]) => {
    const place = places.get(id);
    const frame = place && largestFrame(bytes.subarray(place.start, place.end));
    if (frame === undefined) throw new UnsupportedAvif('has AV1 data that is not that of a still image');
    return frame;
  });
  return Math.max(...frames);
}

function boxes(bytes: Buffer, from: number, to: number): Box[] {
  const found: Box[] = [];
  for (let at = from; at < to;) {
    const size = bytes.readUInt32BE(at);
    const length = size === 0 && to === bytes.length ? to - at : size;
    // A size of 1 says that 64 bits follow, which images do not need.
    if (length < 8 || at + length > to || found.length === MOST_BOXES)
      throw new UnsupportedAvif('has boxes of sizes that do not fit');
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), body: at + 8, end: at + length });
    at += length;
  }
  return found;
}

function only(parts: readonly Box[], type: string): Box {
  const [box, ...others] = parts.filter((part) => part.type === type);
  if (box === undefined || others.length > 0)
    throw new UnsupportedAvif(`does not have exactly one box ${type}`);
  return box;
}

/** What the boxes say of sizes (23008-12, 6.5.3: `ispe`) must be sizes that AV1 has. */
function checkSizes(bytes: Buffer, { body, end }: Box): void {
  const { body: from, end: to } = only(boxes(bytes, body, end), 'ipco');
  for (const { type, body: at } of boxes(bytes, from, to))
    if (type === 'ispe' && Math.max(bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8)) > LONGEST_SIDE)
      throw new UnsupportedAvif(`has a side of more than ${LONGEST_SIDE} pixels`);
}

/** Types of the items by their ids (23008-12, 9.2: boxes `infe`). */
function itemTypes(bytes: Buffer, { body, end }: Box): Map<number, string> {
  const types = new Map<number, string>();
  const entries = boxes(bytes, body + (bytes[body] === 0 ? 6 : 8), end);
  if (entries.length > MOST_ITEMS) throw new UnsupportedAvif(`holds ${entries.length} items`);
  for (const { type, body: at } of entries) {
    const version = bytes[at]!;
    if (type !== 'infe' || version < 2) throw new UnsupportedAvif('has a box infe of an old version');
    const isLong = version > 2;
    const id = isLong ? bytes.readUInt32BE(at + 4) : bytes.readUInt16BE(at + 4);
    const name = at + (isLong ? 10 : 8);
    types.set(id, bytes.toString('latin1', name, name + 4));
  }
  return types;
}

/** Positions of the items whose data is one piece of the file (14496-12, 8.11.3: box `iloc`). */
function itemPlaces(bytes: Buffer, { body, end }: Box): Map<number, { start: number; end: number }> {
  const places = new Map<number, { start: number; end: number }>();
  let at = body;
  const read = (size: number): number => {
    if (at + size > end) throw new UnsupportedAvif('has a box iloc that ends too early');
    const value = size === 0 ? 0 : size > 6 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, size);
    at += size;
    return value;
  };
  const version = read(1);
  read(3);
  const sizes = read(2);
  const [offset, length, base, index] = [12, 8, 4, 0].map((shift) => (sizes >> shift) & 15) as Four;
  if ([offset, length, base, index].some((size) => ![0, 4, 8].includes(size)))
    throw new UnsupportedAvif('gives the positions of its items in numbers of an unsupported size');
  const count = read(version < 2 ? 2 : 4);
  for (let n = 0; n < count; n++) {
    const id = read(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : read(2) & 15;
    const isElsewhere = read(2) !== 0 || method !== 0;
    const start = read(base);
    const extents = read(2);
    for (let extent = 0; extent < extents; extent++) {
      if (version > 0) read(index);
      const from = start + read(offset);
      const size = read(length);
      const isPlain = !isElsewhere && extents === 1 && from + size <= bytes.length && !places.has(id);
      if (isPlain) places.set(id, { start: from, end: size === 0 ? bytes.length : from + size });
      else places.delete(id);
    }
  }
  return places;
}

type Four = [number, number, number, number];

const printable = (type: string): string => type.replace(/[^ -~]/g, '?');
