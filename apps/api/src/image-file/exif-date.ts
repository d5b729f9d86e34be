/**
 * When a photo was taken, as the camera wrote it into Exif (2.32, tables 7 and 8): DateTimeOriginal by the clock of the
 * place, OffsetTimeOriginal for its offset from UTC. Two directories are read, and no link is followed twice.
 */
import { directoryAt, firstDirectory, openTiff } from './tiff.js';
import type { Tiff, TiffEntry } from './tiff.js';

export interface Taken {
  /** What the clock of the place showed, as if it were UTC. */
  at: Date;
  /** Minutes that the clock is ahead of UTC; null where the camera did not say. */
  offset: number | null;
}

const EXIF_DIRECTORY = 0x8769;
const DATE_TIME_ORIGINAL = 0x9003;
const OFFSET_TIME_ORIGINAL = 0x9011;
const ASCII = 2;
const DATE_LENGTH = 'YYYY:MM:DD hh:mm:ss'.length;
const OFFSET_LENGTH = '+hh:mm'.length;
const PREFIX = Buffer.from('Exif\0\0', 'latin1');
/** No photo is older (Niépce, 1826); clocks that were never set say year 0. */
const FIRST_YEAR = 1826;
/** Largest offset of any clock, in minutes. */
const MOST_OFFSET = 14 * 60;

/** From a block of Exif, with or without its prefix `Exif\0\0`; null without a valid date. */
export function takenOf(exif: Buffer | undefined): Taken | null {
  if (exif === undefined) return null;
  const tiff = openTiff(exif.subarray(0, PREFIX.length).equals(PREFIX) ? exif.subarray(PREFIX.length) : exif);
  if (tiff === undefined) return null;
  const link = find(directoryAt(tiff, firstDirectory(tiff)).entries, EXIF_DIRECTORY);
  if (link === undefined) return null;
  const { entries } = directoryAt(tiff, tiff.u32(link.field));
  const at = dateOf(textOf(tiff, find(entries, DATE_TIME_ORIGINAL), DATE_LENGTH));
  return at && { at, offset: offsetOf(textOf(tiff, find(entries, OFFSET_TIME_ORIGINAL), OFFSET_LENGTH)) };
}

const find = (entries: readonly TiffEntry[], tag: number) => entries.find((entry) => entry.tag === tag);

/** The first `length` characters of a text; '' where it is shorter. */
function textOf({ bytes }: Tiff, entry: TiffEntry | undefined, length: number): string {
  if (entry?.type !== ASCII || entry.count < length || entry.at + length > bytes.length) return '';
  return bytes.toString('latin1', entry.at, entry.at + length);
}

function dateOf(text: string): Date | null {
  const parts = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(text)?.slice(1);
  if (parts === undefined || Number(parts[0]) < FIRST_YEAR) return null;
  const [year, month, day, hour, minute, second] = parts;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const date = new Date(iso);
  // Date turns 30 February into 1 March.
  return Number.isNaN(date.getTime()) || date.toISOString() !== iso ? null : date;
}

function offsetOf(text: string): number | null {
  const [, sign, hours, minutes] = /^([+-])(\d\d):([0-5]\d)$/.exec(text) ?? [];
  if (sign === undefined) return null;
  const offset = Number(hours) * 60 + Number(minutes);
  if (offset > MOST_OFFSET) return null;
  return sign === '-' && offset !== 0 ? -offset : offset;
}
