/**
 * Exif whose directories lead to each other again and again: libexif, which reads Exif for sharp, follows each link
 * again, and a file of 64 KB keeps a core busy for seconds, one of megabytes for hours. Looked for before anything
 * reads the header of an image.
 */

/** Links of one Exif structure; a camera writes four: to the thumbnail, to Exif, GPS and interoperability. */
const MAX_LINKS = 16;
/** Entries of all directories that are looked at; photos have some hundred. */
const MAX_ENTRIES = 200_000;
/** Tags whose value is the position of another directory: Exif, GPS, interoperability. */
const LINKS = new Set([0x8769, 0x8825, 0xa005]);
/** Both orders of bytes. A TIFF structure begins so, in whatever part of a JPEG, PNG or WebP file it lies. */
const STARTS = [Buffer.from('II*\0', 'latin1'), Buffer.from('MM\0*', 'latin1')];

/** Whether the file holds Exif with more links or entries than any camera writes. */
export function hasTangledExif(bytes: Buffer): boolean {
  let entries = 0;
  for (const start of STARTS) {
    for (let at = bytes.indexOf(start); at !== -1; at = bytes.indexOf(start, at + 1)) {
      const found = walk(bytes.subarray(at), start === STARTS[0]);
      entries += found.entries + 1;
      if (found.links > MAX_LINKS || entries > MAX_ENTRIES) return true;
    }
  }
  return false;
}

/** Counts the links and entries of a TIFF structure (Exif 2.32, section 4.6.2), each directory once. */
function walk(tiff: Buffer, isLittle: boolean): { links: number; entries: number } {
  const u16 = (at: number) => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const u32 = (at: number) => (isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  let links = 0;
  let entries = 0;
  const directories = new Set(tiff.length >= 8 ? [u32(4)] : []);
  for (const directory of directories) {
    if (links > MAX_LINKS || directory + 2 > tiff.length) continue;
    const first = directory + 2;
    const count = Math.min(u16(directory), Math.floor((tiff.length - first) / 12));
    entries += count;
    for (let at = first; at < first + 12 * count; at += 12) {
      if (!LINKS.has(u16(at))) continue;
      links++;
      directories.add(u32(at + 8));
    }
    const next = first + 12 * count;
    if (next + 4 <= tiff.length && u32(next) !== 0) directories.add(u32(next));
    if (directories.size > 2 * MAX_LINKS) return { links: directories.size, entries };
  }
  return { links, entries };
}
