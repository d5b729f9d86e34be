/** `node decode.mjs FILE` decodes an image as the service does, and prints by how many bytes the peak memory rose. */
import { readFileSync } from 'node:fs';
import { IMAGE_FORMATS, OPTIONAL_IMAGE_FORMATS, decodeImage } from '@clip-ts/clip';
import sharp from 'sharp';

const kilobytes = (/** @type {string} */ field) =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const file = readFileSync(String(process.argv[2]));
// What the libraries allocate once, whatever the image.
await decodeImage(
  await sharp(Buffer.alloc(64 ** 2 * 3), { raw: { width: 64, height: 64, channels: 3 } })
    .png()
    .toBuffer(),
);
const before = kilobytes('VmRSS');
await decodeImage(file, {
  maxBytes: 2 ** 31,
  maxPixels: 1e9,
  formats: [...IMAGE_FORMATS, ...OPTIONAL_IMAGE_FORMATS],
});
console.log(1024 * (kilobytes('VmHWM') - before));
