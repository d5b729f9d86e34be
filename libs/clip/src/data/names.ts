/** Names and texts as they come out of annotation files. */
import { extname, isAbsolute, relative, sep } from 'node:path';
import type { ImageFormat } from '../preprocess/image-format.js';

/** Extensions by which files are taken for images. Their format is determined when they are decoded. */
const EXTENSIONS: Readonly<Record<ImageFormat, readonly string[]>> = {
  jpeg: ['.jpg', '.jpeg'],
  png: ['.png'],
  webp: ['.webp'],
  gif: ['.gif'],
  avif: ['.avif'],
  tiff: ['.tif', '.tiff'],
};

/** Extensions of formats that are never read. */
const OTHER_EXTENSIONS = /^\.(?:bmp|heic|heif|jxl|jp2|svg|ico|dng|cr2|nef|arw)$/;

/** Whether a file is an image, by its name: `taken` when it is of one of the formats, `other` of a format that is not read. */
export function imageKind(name: string, formats: readonly ImageFormat[]): 'taken' | 'other' | undefined {
  const extension = extname(name).toLowerCase();
  if (formats.some((format) => EXTENSIONS[format].includes(extension))) return 'taken';
  const isImage = Object.values(EXTENSIONS).flat().includes(extension) || OTHER_EXTENSIONS.test(extension);
  return isImage ? 'other' : undefined;
}

/** What is said of an image of a format that is not read. */
export const unreadFormat = (name: string, formats: readonly ImageFormat[]): string =>
  `it is named ${shown(extname(name))}; formats that are read are ${formats.join(', ')}`;

/**
 * The name's path below the dataset's folder with `/` between its parts.
 * @returns undefined for what leads out of the folder, is empty or holds a zero character
 */
export function relativeName(name: string, folder: string): string | undefined {
  if (name.includes('\0')) return undefined;
  const below = isAbsolute(name) ? relative(folder, name).split(sep).join('/') : name;
  if (/^[a-z]:[\\/]/i.test(below) || below.startsWith('/')) return undefined;
  const parts = below.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length === 0 || parts.includes('..') ? undefined : parts.join('/');
}

/** The name with `\` between its parts, as Windows programs write it, turned into one with `/`. */
export const withForwardSlashes = (name: string): string => name.replaceAll('\\', '/');

/** The last part of a name. */
export const baseName = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/**
 * A caption or tag as it is kept: well-formed Unicode (half a surrogate pair becomes U+FFFD), without zero characters,
 * trimmed.
 * @returns undefined when nothing is left or the value is not a text
 */
export function cleanText(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.toWellFormed().replaceAll('\0', '').trim();
  return text === '' ? undefined : text;
}

/** Numbers, strings and big integers that write the same id are the same id. */
export const idKey = (id: unknown): string | undefined =>
  typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;

/** A short, printable form of any value, for messages. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  const printable = text.toWellFormed().replace(/\p{Cc}/gu, '\uFFFD');
  return printable.length > 120 ? `${printable.slice(0, 120)}…` : printable;
}
