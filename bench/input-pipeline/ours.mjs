/** Our side of bench/input-pipeline: `node ours.mjs FOLDER WORKERS` answers `views N`, `resized N` and `cached N`. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImagePipeline } from '../../apps/trainer/build/data/images/image-pipeline.js';
import { drawView } from '../../apps/trainer/build/data/images/view.js';
import { prefetch } from '../../apps/trainer/build/data/prefetch.js';
import { createRandom } from '../../apps/trainer/build/random.js';
import { answerRequests } from '../shared/side.mjs';

const SIDE = 224;
const BATCH = 64;
const AHEAD = 2;
const [folder = '', workers] = process.argv.slice(2);
const threads = Number(workers);
const files = readdirSync(folder).map((name) => join(folder, name));
const cache = mkdtempSync(join(tmpdir(), 'clip-bench-cache-'));
writeFileSync(join(cache, 'pixels'), '');

/** @param {import('../../apps/trainer/build/data/images/resized-images.js').ResizedSplit[]} resized kept on disk */
const open = (...resized) =>
  new ImagePipeline({
    images: files.length,
    processorConfig: { image_processor_type: 'CLIPImageProcessor', size: SIDE, crop_size: SIDE },
    height: SIDE,
    width: SIDE,
    threads,
    resized,
  });
const fromFiles = open();
const fromCache = open({ file: join(cache, 'pixels'), first: 0, count: files.length });

/** The tasks of each batch. @param {string} kind @param {number} images */
function* batches(kind, images) {
  for (let from = 0; from < images; from += BATCH) {
    yield Array.from({ length: Math.min(BATCH, images - from) }, (_, n) => {
      const image = (from + n) % files.length;
      const view = kind === 'views' ? drawView(createRandom(from + n), 'photo') : null;
      return { image, location: files[image] ?? '', view };
    });
  }
}

await answerRequests(async (kind, images) => {
  const started = performance.now();
  const pipeline = kind === 'cached' ? fromCache : fromFiles;
  const cpu = process.cpuUsage();
  let done = 0;
  const made = prefetch(
    batches(kind, images),
    AHEAD,
    (tasks) => pipeline.pixelValues(tasks, { threads, keep: false }),
    (pixelValues) => pipeline.release(pixelValues),
  );
  for await (const { shape } of made) done += shape[0] ?? 0;
  if (done !== images) throw new Error(`${done} of ${images} images`);
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - started, cpuMs: (user + system) / 1000 };
});
await fromFiles.close();
await fromCache.close();
rmSync(cache, { recursive: true });
