/** The threads that decode images, from the command line, and the built pipeline where a thread is to die. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, start, temporaryFolder, trainer } from './cli.js';
import { COUNTERS, type BatchMessage } from '../build/data/images/batch-message.js';
import { ImagePipeline } from '../build/data/images/image-pipeline.js';
import { openResizedFiles } from '../build/data/images/resized-files.js';
import type { ResizedSplit } from '../build/data/images/resized-images.js';
import { createRandom } from '../build/random.js';
import { drawView } from '../build/data/images/view.js';

let folder: string;
let remove: () => Promise<void>;
const inFolder = (...names: string[]) => path.join(folder, ...names);

/** A JPEG of 48 × 40 pixels that differs from number to number. */
const picture = (n: number) =>
  sharp({ create: { width: 48, height: 40, channels: 3, background: { r: n * 9, g: 255 - n * 9, b: 80 } } })
    .composite([
      { input: { create: { width: 20, height: 10 + n, channels: 3, background: 'white' } }, left: n, top: 2 },
    ])
    .jpeg()
    .toBuffer();

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  for (const kind of ['circle', 'square']) {
    await mkdir(inFolder('photos', kind), { recursive: true });
    for (let n = 0; n < 12; n++) await writeFile(inFolder('photos', kind, `${n}.jpg`), await picture(n));
  }
});
afterAll(() => remove());

const pretrain = (run: string, flags: string[], ...more: string[]) =>
  trainer('pretrain', '--data', inFolder('photos'), '--output', inFolder(run), ...flags, ...more);

/** Starts a run and kills it at a random moment after its next step, with images under way. */
async function killAtRandom(run: string, args: readonly string[]): Promise<void> {
  const { child, finished } = start(args);
  const steps = () =>
    readFile(inFolder(run, 'metrics.jsonl'), 'utf8').then(
      (text) => text.split('\n').length,
      () => 0,
    );
  const before = await steps();
  while (child.exitCode === null && (await steps()) <= before) await delay(5);
  await delay(100 * Math.random());
  child.kill('SIGKILL');
  await finished;
}

describe('training from files', () => {
  it('gives the same weights with 1, 2 and 4 threads, whatever fits the memory or is kept on disk, also when it was killed, and notes the time spent waiting', async () => {
    // Stage 1 with its towers run at each step, stage 2 and the validations: all from files.
    const quick = { epochs: 2, checkpoint_seconds: 0.001 };
    const flags = await configFlags(folder, {
      heads: { ...quick, augmentation: 'photo' },
      everything: quick,
    });
    const hashes: string[] = [];
    const disk = ['--image-cache', inFolder('image-cache')];
    for (const [threads, memory, ...cache] of [
      ['1', '20'],
      ['2', '1e-5'],
      ['4', '1e-5', ...disk],
    ] as const) {
      const run = `threads-${threads}`;
      const more = ['--workers', threads, '--image-memory', memory, ...cache];
      const args = ['--data', inFolder('photos'), '--output', inFolder(run), ...flags, ...more];
      if (threads === '4') for (let n = 0; n < 2; n++) await killAtRandom(run, ['pretrain', ...args]);
      const { code, stdout, stderr } = await trainer('pretrain', ...args);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/images\/s {2}\d+ % waiting for data/);
      if (cache.length > 0) {
        expect(stdout).toMatch(/kept in .*image-cache: 24 images of 32 × 32 pixels, up to .*B/);
        expect(stdout).toMatch(/stage "heads" shows crops of the originals .* not kept on disk/);
      }
      const weights = await readFile(inFolder(`threads-${threads}`, 'last', 'model.safetensors'));
      hashes.push(createHash('sha256').update(weights).digest('hex'));
    }
    expect(new Set(hashes).size).toBe(1);
    const lines = (await readFile(inFolder('threads-2', 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const steps = lines
      .map((line) => JSON.parse(line) as { kind: string; seconds: number; data_seconds: number })
      .filter(({ kind }) => kind === 'step');
    for (const { seconds, data_seconds } of steps) {
      expect(data_seconds).toBeGreaterThanOrEqual(0);
      expect(data_seconds).toBeLessThanOrEqual(seconds);
    }
    expect(await readFile(inFolder('threads-2', 'report.html'), 'utf8')).toContain('Waiting for data');
  });

  it('ends with the name of an image that is damaged', async () => {
    const file = inFolder('photos', 'square', '7.jpg');
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length / 2));
    const flags = await configFlags(folder, { everything: { epochs: 0 } });
    const features = ['--feature-cache', inFolder('features')];
    const { code, stderr } = await pretrain('damaged', flags, ...features);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/square\/7\.jpg: .*damaged or incomplete/)]);
    await writeFile(file, whole);
  });
});

describe('the pipeline', () => {
  const SIDE = 16;
  const open = (threads: number, resized: readonly ResizedSplit[] = []) => {
    const pipeline = new ImagePipeline({
      images: 24,
      resized,
      processorConfig: {
        image_processor_type: 'ViTImageProcessor',
        size: { height: SIDE, width: SIDE },
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
      },
      height: SIDE,
      width: SIDE,
      threads,
    });
    pipeline.keepImages(1e6);
    return pipeline;
  };

  async function tasks() {
    const files = await readdir(inFolder('photos', 'circle'));
    return files.sort().map((name, image) => ({
      image,
      location: inFolder('photos', 'circle', name),
      view: drawView(createRandom(image), 'photo'),
    }));
  }

  it('takes from disk what was resized before, unless its file has changed or the record is damaged', async () => {
    const images = (await tasks()).map((task) => ({ ...task, view: null }));
    const file = inFolder('resized.pixels');
    await writeFile(file, '');
    const resized = [{ file, first: 0, count: images.length }];
    const use = { threads: 1, keep: false };
    /** By a pipeline that has nothing in memory. */
    const shown = async (disk = resized) => {
      const pipeline = open(1, disk);
      try {
        return (await pipeline.pixelValues(images, use)).data.slice();
      } finally {
        await pipeline.close();
      }
    };
    const { location } = images[3]!;
    const whole = await readFile(location);
    const time = 1e9;
    await utimes(location, time, time);
    const expected = await shown([]);
    expect(await shown()).toEqual(expected);
    // No longer an image, but of the same size and time: it is not looked at.
    await writeFile(location, Buffer.alloc(whole.length));
    await utimes(location, time, time);
    expect(await shown()).toEqual(expected);
    await utimes(location, time, time + 5);
    await expect(shown()).rejects.toThrow(path.basename(location));
    await writeFile(location, whole);
    const record = 3 * SIDE * SIDE + 32;
    const content = await readFile(file);
    expect(content).toHaveLength(images.length * record);
    // Half of one, and a bit of another.
    content.fill(0, 5 * record, 5 * record + 400);
    content[6 * record + 7]! ^= 1;
    await writeFile(file, content);
    expect(await shown()).toEqual(expected);
    expect(await shown()).toEqual(expected);
  });

  it('continues all requested batches while the thread that asked is busy', async () => {
    const started: Worker[] = [];
    const note = (worker: Worker) => started.push(worker);
    process.on('worker', note);
    const pipeline = open(2);
    const use = { threads: 2, keep: true };
    await pipeline.pixelValues(await tasks(), use);
    process.off('worker', note);
    const done = new Set<Int32Array>();
    const post = started[0]!.postMessage.bind(started[0]);
    started[0]!.postMessage = (message: BatchMessage) => {
      done.add(new Int32Array(message.counters, COUNTERS.done * 4, 1));
      post(message);
    };
    const images = await tasks();
    const batches = [images, images, images].map((batch) => pipeline.pixelValues(batch, use));
    expect(done.size).toBe(3);
    const allDone = () => [...done].every((count) => Atomics.load(count, 0) === images.length);
    // No message is received meanwhile, so none can be needed.
    for (const until = performance.now() + 20_000; !allDone() && performance.now() < until;);
    expect(allDone()).toBe(true);
    await Promise.all(batches);
    await pipeline.close();
  });

  it('uses the memory of a batch again that was given back, and no other', async () => {
    const pipeline = open(1);
    const use = { threads: 1, keep: true };
    const images = await tasks();
    const [first, second] = [images.slice(0, 3), images.slice(3, 6)];
    const kept = await pipeline.pixelValues(first, use);
    const given = await pipeline.pixelValues(first, use);
    const values = kept.data.slice();
    expect(given.data).toEqual(values);
    pipeline.release(given);
    const later = await pipeline.pixelValues(second, use);
    expect(later.data).toBe(given.data);
    expect(later.data).not.toEqual(values);
    expect(kept.data).toEqual(values);
    pipeline.release(later);
    expect((await pipeline.pixelValues(images, use)).data).not.toBe(later.data);
    await pipeline.close();
  });

  it('names the first of several images that cannot be shown, and continues with the next batch', async () => {
    const pipeline = open(2);
    const use = { threads: 2, keep: true };
    const some = await tasks();
    const broken = some.map((task) =>
      task.image === 5 || task.image === 9 ? { ...task, location: '/nowhere' } : task,
    );
    await expect(pipeline.pixelValues(broken, use)).rejects.toThrow(/^\/nowhere: .*cannot be read.*ENOENT/);
    expect((await pipeline.pixelValues(some, use)).shape).toEqual([12, 3, SIDE, SIDE]);
    await pipeline.close();
  });

  it('ends with an error when one of its threads dies, with a batch under way and ever after', async () => {
    const started: Worker[] = [];
    const note = (worker: Worker) => started.push(worker);
    process.on('worker', note);
    const pipeline = open(2);
    const use = { threads: 2, keep: false };
    await pipeline.pixelValues(await tasks(), use);
    process.off('worker', note);
    expect(started).toHaveLength(2);
    const many = Array.from({ length: 50 }, async () => pipeline.pixelValues(await tasks(), use));
    const outcomes = Promise.allSettled(many);
    void started[0]!.terminate();
    const failed = (await outcomes).filter(({ status }) => status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const outcome of failed) {
      expect(String((outcome as PromiseRejectedResult).reason)).toContain('ended unexpectedly');
    }
    await expect(pipeline.pixelValues(await tasks(), use)).rejects.toThrow('ended unexpectedly');
    await pipeline.close();
  });
});

it('resized images that the disk has no room for are refused before training, and so is a folder that cannot be', async () => {
  const images = Array.from({ length: 1000 }, (_, n) => ({
    name: `${n}`,
    captions: [],
    location: '',
    tags: [],
  }));
  const enormous = {
    assets: { 'preprocessor_config.json': '{}' },
    processor: { height: 60_000, width: 60_000 },
  } as unknown as Parameters<typeof openResizedFiles>[2];
  const opened = (...names: string[]) =>
    openResizedFiles(inFolder(...names), [images], enormous, () => undefined);
  await expect(opened('no-room')).rejects.toThrow(
    /disk_full: .*1,000 images of 60000 × 60000 pixels take 10800\.0 GB/,
  );
  expect(await readdir(inFolder('no-room'))).toEqual([]);
  await expect(opened('photos', 'circle', '1.jpg', 'below')).rejects.toThrow(/cannot be written to: ENOTDIR/);
});
