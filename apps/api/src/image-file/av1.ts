/**
 * The size of the frames that AV1 data asks its decoder for (AV1 Bitstream and Decoding Process Specification, 5.3 and
 * 5.5): the size that the container states does not bound them. Timing, which still images lack, is not read.
 */

const SEQUENCE_HEADER = 1;
/** Data units of one image; a still image has a handful. */
const MOST_UNITS = 1000;

/** Width × height of the largest frame; undefined for data that no still image has. */
export function largestFrame(data: Buffer): number | undefined {
  let largest: number | undefined;
  let units = 0;
  for (let at = 0; at < data.length; units++) {
    const head = data[at]!;
    const hasExtension = (head & 4) !== 0;
    const hasSize = (head & 2) !== 0;
    const size = hasSize ? leb128(data, at + (hasExtension ? 2 : 1)) : undefined;
    if ((head & 0x80) !== 0 || size === undefined || units === MOST_UNITS) return undefined;
    const end = size.next + size.value;
    if (end > data.length) return undefined;
    if (((head >> 3) & 15) === SEQUENCE_HEADER) {
      const pixels = frameSize(data.subarray(size.next, end));
      if (pixels === undefined) return undefined;
      largest = Math.max(largest ?? 0, pixels);
    }
    at = end;
  }
  return largest;
}

/** A number in groups of seven bits, the lowest first (4.10.5). */
function leb128(data: Buffer, at: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let n = 0; n < 5; n++) {
    const byte = data[at + n];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * n);
    if ((byte & 0x80) === 0) return { value, next: at + n + 1 };
  }
  return undefined;
}

/** Width × height of a sequence header (5.5.1). */
function frameSize(header: Buffer): number | undefined {
  let position = 0;
  const bits = (count: number): number => {
    let value = 0;
    for (let n = 0; n < count; n++, position++)
      value = value * 2 + (((header[position >> 3] ?? 0) >> (7 - (position & 7))) & 1);
    return value;
  };
  bits(3 + 1);
  const isReduced = bits(1) === 1;
  if (isReduced) bits(5);
  else {
    const hasTiming = bits(1) === 1;
    if (hasTiming) return undefined;
    const hasDelay = bits(1) === 1;
    const points = bits(5) + 1;
    for (let point = 0; point < points; point++) {
      bits(12);
      if (bits(5) > 7) bits(1);
      if (hasDelay && bits(1) === 1) bits(4);
    }
  }
  const [widthBits, heightBits] = [bits(4) + 1, bits(4) + 1];
  const pixels = (bits(widthBits) + 1) * (bits(heightBits) + 1);
  return position > header.length * 8 ? undefined : pixels;
}
