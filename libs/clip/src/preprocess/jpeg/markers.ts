/**
 * The markers of a JPEG file (ITU-T T.81, annex B), for the plain kind only: baseline, 8 bits, one scan, grey or YCbCr,
 * chroma at full, half or quarter size, upright. Most photos are of this kind; for all others the result is undefined.
 */

/** A Huffman table: how many codes there are of each length from 1 to 16, and their symbols. */
export interface HuffmanTable {
  counts: Uint8Array;
  symbols: Uint8Array;
}

interface JpegComponent {
  id: number;
  /** Blocks of an MCU along x and y. */
  h: number;
  v: number;
  /** [64] Quantisation, in zigzag order. */
  quantization: Uint8Array;
  dc: HuffmanTable;
  ac: HuffmanTable;
}

export interface JpegFrame {
  width: number;
  height: number;
  /** One, or luma and two of chroma. */
  components: JpegComponent[];
  /** MCUs between restart markers; 0: there are none. */
  restartInterval: number;
  /** Where the entropy-coded data starts. */
  scanStart: number;
  /** With its prefix, `Exif\0\0`. */
  exif: Uint8Array | undefined;
}

const [SOF0, SOF1, DHT, SOI, SOS, DQT, DRI] = [0xc0, 0xc1, 0xc4, 0xd8, 0xda, 0xdb, 0xdd];
const [APP0, APP1, APP14, COM] = [0xe0, 0xe1, 0xee, 0xfe];

/** What the markers read so far define. */
interface Tables {
  quantizations: Map<number, Uint8Array>;
  /** DC tables under their number, AC tables under 16 + number. */
  huffman: Map<number, HuffmanTable>;
  frame?: { width: number; height: number; components: Frame[] };
  restartInterval: number;
  exif?: Uint8Array;
  jfif: boolean;
  adobeTransform?: number;
}
type Frame = Pick<JpegComponent, 'id' | 'h' | 'v'> & { table: number };

/** @returns undefined for anything but a plain JPEG, damaged ones included */
export function readMarkers(bytes: Uint8Array): JpegFrame | undefined {
  const tables: Tables = { quantizations: new Map(), huffman: new Map(), restartInterval: 0, jfif: false };
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return undefined;
  for (let at = 2; at + 4 <= bytes.length;) {
    const code = bytes[at + 1]!;
    if (bytes[at] !== 0xff || code < SOF0 || (code >= 0xd0 && code <= SOI)) return undefined;
    const end = at + 2 + word(bytes, at + 2);
    if (end < at + 4 || end > bytes.length) return undefined;
    const body = bytes.subarray(at + 4, end);
    if (code === SOS) return frameOf(tables, body, end);
    if (!takeSegment(tables, code, body)) return undefined;
    at = end;
  }
  return undefined;
}

/** What the markers of a plain JPEG say, without its pixels: width and height in pixels; undefined for all other files. */
export function plainJpegHeader(
  bytes: Uint8Array,
): { width: number; height: number; channels: 1 | 3; exif: Uint8Array | undefined } | undefined {
  const frame = readMarkers(bytes);
  if (frame === undefined || frame.width === 0 || frame.height === 0) return undefined;
  const { width, height, components, exif } = frame;
  return { width, height, channels: components.length === 1 ? 1 : 3, exif };
}

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const startsWith = (bytes: Uint8Array, text: string): boolean =>
  bytes.length >= text.length && [...text].every((letter, n) => bytes[n] === letter.charCodeAt(0));

/** @returns false when the image is not of the plain kind */
function takeSegment(tables: Tables, code: number, body: Uint8Array): boolean {
  switch (code) {
    case DQT:
      return takeQuantizations(tables, body);
    case DHT:
      return takeHuffman(tables, body);
    case SOF0:
    case SOF1:
      return takeFrame(tables, body);
    case DRI:
      tables.restartInterval = word(body, 0);
      return body.length === 2;
    case APP0:
      tables.jfif ||= startsWith(body, 'JFIF\0');
      return true;
    case APP1:
      return !startsWith(body, 'Exif\0\0') || takeExif(tables, body);
    case APP14:
      if (startsWith(body, 'Adobe') && body.length >= 12) tables.adobeTransform = body[11];
      return true;
    default:
      return (code > APP1 && code < 0xf0) || code === COM;
  }
}

function takeExif(tables: Tables, body: Uint8Array): boolean {
  if (tables.exif !== undefined) return false;
  tables.exif = body;
  return isUpright(body.subarray(6));
}

function takeQuantizations({ quantizations }: Tables, body: Uint8Array): boolean {
  for (let at = 0; at < body.length; at += 65) {
    // Above 3: 16-bit numbers, which are not of the baseline.
    if (body[at]! > 3 || at + 65 > body.length) return false;
    quantizations.set(body[at]!, body.slice(at + 1, at + 65));
  }
  return true;
}

function takeHuffman({ huffman }: Tables, body: Uint8Array): boolean {
  for (let at = 0; at < body.length;) {
    const number = body[at]!;
    const counts = body.slice(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (number > 0x13 || (number & 15) > 3 || counts.length < 16 || total > 256) return false;
    const symbols = body.slice(at + 17, at + 17 + total);
    if (symbols.length < total || !isPrefixCode(counts)) return false;
    huffman.set(number, { counts, symbols });
    at += 17 + total;
  }
  return true;
}

/** Whether this many codes of each length form a prefix code. */
function isPrefixCode(counts: Uint8Array): boolean {
  let code = 0;
  return counts.every((count, n) => {
    const fits = code + count <= 2 << n;
    code = (code + count) << 1;
    return fits;
  });
}

function takeFrame(tables: Tables, body: Uint8Array): boolean {
  const count = body[5];
  if (tables.frame !== undefined || body[0] !== 8 || (count !== 1 && count !== 3)) return false;
  if (body.length !== 6 + 3 * count) return false;
  const components = Array.from({ length: count }, (_, n) => {
    const [id, factors, table] = [body[6 + 3 * n]!, body[7 + 3 * n]!, body[8 + 3 * n]!];
    return { id, h: factors >> 4, v: factors & 15, table };
  });
  tables.frame = { height: word(body, 1), width: word(body, 3), components };
  return true;
}

/** The frame that the header of the scan and the segments before it describe. */
function frameOf(tables: Tables, scan: Uint8Array, scanStart: number): JpegFrame | undefined {
  const { frame, restartInterval } = tables;
  const count = frame?.components.length ?? 0;
  if (frame === undefined || scan[0] !== count || scan.length !== 4 + 2 * count) return undefined;
  // Only scans of all coefficients at full precision.
  if (scan[1 + 2 * count] !== 0 || scan[2 + 2 * count] !== 63 || scan[3 + 2 * count] !== 0) return undefined;
  const components: JpegComponent[] = [];
  for (const [n, { id, h, v, table }] of frame.components.entries()) {
    const quantization = tables.quantizations.get(table);
    const selected = scan[2 + 2 * n]!;
    const dc = tables.huffman.get(selected >> 4);
    const ac = tables.huffman.get(16 + (selected & 15));
    if (scan[1 + 2 * n] !== id || quantization === undefined || dc === undefined || ac === undefined)
      return undefined;
    components.push({ id, h, v, quantization, dc, ac });
  }
  if (!isPlain(components) || !isYcc(tables, components)) return undefined;
  const { width, height } = frame;
  return { width, height, components, restartInterval, scanStart, exif: tables.exif };
}

function isPlain([luma, ...chroma]: JpegComponent[]): boolean {
  const factors = `${luma!.h}x${luma!.v}`;
  if (chroma.length === 0) return factors === '1x1';
  return ['1x1', '2x1', '2x2'].includes(factors) && chroma.every(({ h, v }) => h === 1 && v === 1);
}

/** libjpeg's rule (jdapimin.c) for what three components are. */
function isYcc({ jfif, adobeTransform }: Tables, components: JpegComponent[]): boolean {
  if (components.length === 1 || jfif) return true;
  if (adobeTransform !== undefined) return adobeTransform === 1;
  return components.every(({ id }, n) => id === n + 1);
}

const ORIENTATION = 0x0112;

/** Whether Exif data (a TIFF header and a directory) states the upright orientation, or none. */
function isUpright(exif: Uint8Array): boolean {
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  try {
    const little = view.getUint16(0) === 0x4949;
    const directory = view.getUint32(4, little);
    const entries = view.getUint16(directory, little);
    for (let n = 0; n < entries; n++) {
      const entry = directory + 2 + n * 12;
      if (view.getUint16(entry, little) === ORIENTATION) return view.getUint16(entry + 8, little) === 1;
    }
    return true;
  } catch {
    // It points outside its segment: left to libvips.
    return false;
  }
}
