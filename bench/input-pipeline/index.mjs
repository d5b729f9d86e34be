/**
 * Images per second from JPEG files of 640 × 480 pixels to pixel_values [3, 224, 224] in batches, made by the trainer's
 * threads, beside a DataLoader of PyTorch with as many worker processes.
 *
 *   npm run bench -- input-pipeline [--peer torch] [--photos FOLDER] [--workers 2] [--images 512] [--rounds 5]
 *
 * Three kinds of batches: `views` are decoded, cropped at random (half to all of the area), resized, mirrored half of the time,
 * changed in brightness and contrast, normalised; `resized` are decoded, resized to a shorter side of 224, cropped to the
 * centre, normalised; `cached` are the same pixels from the file that --image-cache fills, ours alone. `cpu` is the processor time of a side with its threads or processes: what is comparable on a machine that
 * does other work too. Both sides resize with PIL's bicubic filter. The photos of --photos are cut to 640 × 480 first; without it
 * pictures are drawn. Sides take turns; medians are printed. PYTHON names an interpreter with torch and Pillow; torchvision's
 * transforms are used where it loads, the same operations written out elsewhere.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { median } from '../shared/measure.mjs';
import { startSide } from '../shared/side.mjs';

const KINDS = /** @type {const} */ (['views', 'resized', 'cached']);
const FILES = 256;
const [WIDTH, HEIGHT] = [640, 480];

const { values } = parseArgs({
  options: {
    peer: { type: 'string', multiple: true, default: [] },
    photos: { type: 'string' },
    workers: { type: 'string', default: '2' },
    images: { type: 'string', default: '512' },
    rounds: { type: 'string', default: '5' },
  },
});
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/** @param {string} folder @param {string | undefined} photos */
async function writeImages(folder, photos) {
  const sources = photos === undefined ? [] : await photosBelow(photos);
  if (photos !== undefined && sources.length === 0) throw new Error(`${photos} holds no .jpg files`);
  for (let n = 0; n < FILES; n++) {
    const source = sources[n % sources.length];
    const image =
      source === undefined ? await drawn(n) : sharp(source).rotate().resize(WIDTH, HEIGHT, { fit: 'cover' });
    await image.jpeg({ quality: 90 }).toFile(join(folder, `${String(n).padStart(3, '0')}.jpg`));
  }
}

/** @param {string} folder */
async function photosBelow(folder) {
  const entries = await readdir(folder, { recursive: true });
  return entries
    .filter((name) => /\.jpe?g$/i.test(name))
    .sort()
    .slice(0, FILES)
    .map((name) => join(folder, name));
}

/** Smooth colours with some grain: about as many bytes as a photo. @param {number} n */
async function drawn(n) {
  const background = { r: (n * 37) % 256, g: (n * 59) % 256, b: (n * 83) % 256 };
  const noise = (/** @type {number} */ side, /** @type {number} */ sigma) =>
    sharp({
      create: {
        width: side,
        height: Math.round((side * 3) / 4),
        channels: 3,
        background,
        noise: { type: 'gaussian', mean: 128, sigma },
      },
    });
  const coarse = await noise(16, 60).resize(WIDTH, HEIGHT, { kernel: 'cubic' }).png().toBuffer();
  const grain = await noise(WIDTH, 14).png().toBuffer();
  return sharp(coarse).composite([{ input: grain, blend: 'soft-light' }]);
}

const folder = await mkdtemp(join(tmpdir(), 'clip-bench-'));
try {
  await writeImages(folder, values.photos);
  const args = [folder, values.workers];
  const ours = startSide('ours', process.execPath, [here('./ours.mjs'), ...args]);
  const peers = values.peer.map((peer) => {
    if (peer !== 'torch') throw new Error(`unknown peer "${peer}": torch`);
    return startSide(peer, process.env.PYTHON ?? 'python3', [here('../peers/input_pipeline.py'), ...args]);
  });
  const sides = [ours, ...peers];
  for (const kind of KINDS) {
    // The first time starts threads and processes, and fills the cache.
    const asked = kind === 'cached' ? [ours] : sides;
    /** @type {Map<string, { rates: number[], cpu: number[], peakRssMb: number, with?: string }>} */
    const results = new Map(asked.map(({ name }) => [name, { rates: [], cpu: [], peakRssMb: 0 }]));
    for (const side of asked) await side.ask(`${kind} ${values.images}`);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const side of asked) {
        const { ms, cpuMs, peakRssMb, ...rest } = await side.ask(`${kind} ${values.images}`);
        const result = results.get(side.name);
        result?.rates.push((Number(values.images) * 1000) / ms);
        result?.cpu.push(cpuMs / Number(values.images));
        Object.assign(result ?? {}, { peakRssMb, ...rest });
      }
    }
    const rate = (/** @type {string} */ name) => median(results.get(name)?.rates ?? []);
    const cpu = (/** @type {string} */ name) => median(results.get(name)?.cpu ?? []);
    const print = (/** @type {string} */ key, /** @type {string} */ value) =>
      console.log(`input_pipeline.${kind}.${key}: ${value}`);
    for (const { name } of asked) {
      print(name, `${rate(name).toFixed(1)} images/s`);
      print(`${name}.cpu`, `${cpu(name).toFixed(2)} ms/image`);
      print(
        `${name}.peak_rss`,
        `${results.get(name)?.peakRssMb} MB${name === 'torch' ? ' without its workers' : ''}`,
      );
    }
    for (const { name } of asked.slice(1)) {
      print(`ratio_${name}`, (rate('ours') / rate(name)).toFixed(2));
      print(`ratio_${name}.cpu`, (cpu(name) / cpu('ours')).toFixed(2));
      print(`${name}.with`, String(results.get(name)?.with));
    }
  }
  for (const side of sides) side.stop();
} finally {
  await rm(folder, { recursive: true });
}
