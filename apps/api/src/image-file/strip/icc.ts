/** Colour profiles (ICC.1:2022, section 7.2) that are worth keeping: whole, of a sane size, and a profile at all. */
import { inflateSync } from 'node:zlib';

/** Profiles of printers have 1 to 3 MB; a larger one holds something else. */
const MAX_PROFILE = 4 * 1024 * 1024;
const HEADER = 128;

/** True for bytes that are one profile and nothing more. */
export function isProfile(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER || bytes.length > MAX_PROFILE) return false;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.readUInt32BE(0) === view.length && view.toString('latin1', 36, 40) === 'acsp';
}

/** The same for the data of a PNG's iCCP chunk: a name, NUL, 0 for the method, the profile deflated. */
export function isCompressedProfile(data: Buffer): boolean {
  const end = data.indexOf(0);
  if (end < 1 || end > 79 || data[end + 1] !== 0) return false;
  try {
    return isProfile(inflateSync(data.subarray(end + 2), { maxOutputLength: MAX_PROFILE }));
  } catch {
    return false;
  }
}
