/**
 * Milliseconds to prepare an image for a tower: decode, resize (bicubic, shorter side 224, centre crop), normalise;
 * beside sharp's own resize, and PIL's when a Python interpreter is given.
 *
 *   npm run bench -- preprocess FOLDER_OF_IMAGES [--peer-python PATH]
 *
 * Prints `preprocess.STEP.WHO: MILLISECONDS ms` (median over the images of the best of five), and how far sharp's
 * resize is from PIL's, which ours equals.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decodeImage, ImageProcessor } from '@clip-ts/clip';
import sharp from 'sharp';
import { median } from '../shared/measure.mjs';

const SIZE = 224;
const REPEATS = 5;
const MAX_IMAGES = 50;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'peer-python': { type: 'string' } },
});
const folder = positionals[0];
if (folder === undefined) {
  console.error('usage: npm run bench -- preprocess FOLDER_OF_IMAGES [--peer-python PATH]');
  process.exit(2);
}
const paths = readdirSync(folder)
  .filter((name) => /\.(jpe?g|png)$/i.test(name))
  .sort()
  .slice(0, MAX_IMAGES)
  .map((name) => join(folder, name));

const processor = new ImageProcessor({
  image_processor_type: 'CLIPImageProcessor',
  size: SIZE,
  crop_size: SIZE,
});
/**
 * @template T
 * @param {string} name
 * @param {T[]} items
 * @param {(item: T) => unknown} work
 */
async function time(name, items, work) {
  const best = [];
  for (const item of items) {
    let fastest = Infinity;
    for (let i = 0; i < REPEATS; i++) {
      const start = performance.now();
      await work(item);
      fastest = Math.min(fastest, performance.now() - start);
    }
    best.push(fastest);
  }
  console.log(`preprocess.${name}: ${median(best)?.toFixed(2)} ms`);
}

const files = paths.map((path) => readFileSync(path));
const images = await Promise.all(files.map((bytes) => decodeImage(bytes)));
const pixels = images.map((image) => processor.resize(image));
/** @param {import('@clip-ts/clip').RgbImage} image */
function resizeWithSharp({ data, width, height }) {
  const short = Math.min(width, height);
  const [W, H] = [Math.trunc((SIZE * width) / short), Math.trunc((SIZE * height) / short)];
  const [left, top] = [Math.floor((W - SIZE) / 2), Math.floor((H - SIZE) / 2)];
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(W, H, { fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: false })
    .extract({ left, top, width: SIZE, height: SIZE })
    .raw()
    .toBuffer();
}

await time('decode.ours', files, (bytes) => processor.withDecoded(bytes, () => undefined));
await time('decode.libvips', files, (bytes) => decodeImage(bytes));
await time('resize.ours', images, (image) => processor.resize(image));
await time('resize.sharp', images, resizeWithSharp);
await time('normalize.ours', pixels, (image) => processor.normalize(image));
await time('all.ours', files, (bytes) => processor.pixelValues(bytes));

const others = await Promise.all(images.map(resizeWithSharp));
const differences = pixels.flatMap((image, i) =>
  [...image].map((value, j) => Math.abs(value - (others[i]?.[j] ?? NaN))),
);
const largest = differences.reduce((a, b) => Math.max(a, b), 0);
const mean = differences.reduce((a, b) => a + b, 0) / differences.length;
console.log(`preprocess.difference.sharp.max: ${largest} /255`);
console.log(`preprocess.difference.sharp.mean: ${mean.toFixed(2)} /255`);

if (values['peer-python'] !== undefined) {
  const peer = fileURLToPath(new URL('../peers/resize.py', import.meta.url));
  process.stdout.write(execFileSync(values['peer-python'], [peer, ...paths], { encoding: 'utf8' }));
}
