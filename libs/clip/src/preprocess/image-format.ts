/** The formats of image files: which are decoded, and which one a file has. */

/** Formats that are decoded. SVG, PDF, HEIC and others are not: rarely used, and a large attack surface. */
export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'gif'] as const;
/** Formats that are decoded where a caller asks for it: their pixels do not bound the memory they take. */
export const OPTIONAL_IMAGE_FORMATS = ['avif', 'tiff'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS | typeof OPTIONAL_IMAGE_FORMATS)[number];

/** The format of an image by its magic bytes; undefined for what is never decoded. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 12)).toString('latin1');
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) return 'webp';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'gif';
  if (head.endsWith('ftypavif')) return 'avif';
  if (head.startsWith('II*\0') || head.startsWith('MM\0*')) return 'tiff';
  return undefined;
}
