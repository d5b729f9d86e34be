/**
 * Exif whose directories lead to each other again and again: libexif, which reads Exif for sharp, follows each link
 * again, and a file of 64 KB keeps a core busy for seconds, one of megabytes for hours. Looked for before anything
 * reads the header of an image.
 */
import { TIFF_STARTS, directoryAt, firstDirectory, openTiff } from './tiff.js';

/** Links of one Exif structure; a camera writes four: to the thumbnail, to Exif, GPS and interoperability. */
const MAX_LINKS = 16;
/** Entries of all directories that are looked at; photos have some hundred. */
const MAX_ENTRIES = 200_000;
/** Tags whose value is the position of another directory: Exif, GPS, interoperability. */
const LINKS = new Set([0x8769, 0x8825, 0xa005]);

/** Whether the file holds Exif with more links or entries than any camera writes. */
export function hasTangledExif(bytes: Buffer): boolean {
  let entries = 0;
  for (const start of TIFF_STARTS) {
    for (let at = bytes.indexOf(start); at !== -1; at = bytes.indexOf(start, at + 1)) {
      const found = walk(bytes.subarray(at));
      entries += found.entries + 1;
      if (found.links > MAX_LINKS || entries > MAX_ENTRIES) return true;
    }
  }
  return false;
}

/** Counts the links and entries of a TIFF structure, each directory once. */
function walk(bytes: Buffer): { links: number; entries: number } {
  const tiff = openTiff(bytes);
  if (tiff === undefined) return { links: 0, entries: 0 };
  let links = 0;
  let count = 0;
  const directories = new Set([firstDirectory(tiff)]);
  for (const directory of directories) {
    if (links > MAX_LINKS) continue;
    const { entries, next } = directoryAt(tiff, directory);
    count += entries.length;
    for (const { tag, field } of entries) {
      if (!LINKS.has(tag)) continue;
      links++;
      // libexif follows it whatever type and count the entry says.
      directories.add(tiff.u32(field));
    }
    if (next !== 0) directories.add(next);
    if (directories.size > 2 * MAX_LINKS) return { links: directories.size, entries: count };
  }
  return { links, entries: count };
}
