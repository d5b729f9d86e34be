/** A disk that is full, or that cannot be written: a small file system of its own, which only root can mount. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ImportView } from '../src/imports/import.schema.js';
import { totalImages } from './support/collection.js';
import { endOfImport, startImport } from './support/imports.js';
import { formRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const canMount = process.platform === 'linux' && process.getuid?.() === 0 && mounts();
const title = canMount ? 'a full disk' : 'a full disk (skipped: needs root and the right to mount a tmpfs)';

/** An image that does not compress: some 190 kB. */
async function noise(seed: number): Promise<Uint8Array<ArrayBuffer>> {
  let state = seed + 1;
  const pixels = Buffer.from(
    Array.from({ length: 250 * 250 * 3 }, () => (state = (state * 48_271) % 2_147_483_647) & 255),
  );
  const raw = { width: 250, height: 250, channels: 3 } as const;
  return new Uint8Array(await sharp(pixels, { raw }).png().toBuffer());
}

function mounts(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canMount)(title, () => {
  const folder = useFolder();
  const data = join(folder, 'data');
  const images = join(data, 'images');
  const root = join(folder, 'root');
  const filler = join(images, 'filler');

  beforeAll(async () => {
    await mkdir(root);
    await mkdir(images, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', images]);
  });
  afterAll(() => {
    execFileSync('umount', [images]);
  });
  const server = useServer(folder, { IMPORT_ROOT: root });
  // A test that fails must leave the disk as the next one needs it.
  afterEach(async () => {
    execFileSync('mount', ['-o', 'remount,rw', images]);
    await rm(filler, { force: true });
  });

  const storedFiles = async () => {
    const names = await readdir(images, { recursive: true });
    const facts = await Promise.all(
      names.map(async (name) => ({ name, of: await stat(join(images, name)) })),
    );
    const stored = facts.filter(({ name, of }) => of.isFile() && !name.endsWith('.in-use'));
    return stored.map(({ name }) => name).sort();
  };
  const fill = () => writeFile(filler, Buffer.alloc(4_000_000)).catch(() => undefined);

  it('is said with a code of its own, leaves nothing half-written, and passes', async () => {
    const image = await noise(1);
    const [before, total] = [await storedFiles(), await totalImages(server)];
    await fill();
    const problem = await server.problem('/images', formRequest({ image }));
    expect([problem.status, problem.code]).toEqual([507, 'storage_full']);
    expect(await totalImages(server)).toBe(total);
    expect(await storedFiles()).toEqual([...before, 'filler'].sort());
    expect((await server.fetch('/healthz')).status).toBe(200);
    expect((await server.fetch('/classify', formRequest({ image, labels: 'red' }))).status).toBe(200);
    await rm(filler);
    expect((await server.fetch('/images', formRequest({ image }))).status).toBe(201);
  });

  it('takes back the files of a request of which one no longer fits', async () => {
    const [before, total] = [await storedFiles(), await totalImages(server)];
    const image = await Promise.all(Array.from({ length: 15 }, (_, n) => noise(100 + n)));
    const problem = await server.problem('/images', formRequest({ image }));
    expect(problem.code).toBe('storage_full');
    expect(await totalImages(server)).toBe(total);
    expect(await storedFiles()).toEqual(before);
  });

  it('lets an import wait, which then resumes by itself and loses nothing', async () => {
    for (let n = 0; n < 5; n++) await writeFile(join(root, `${n}.png`), await noise(200 + n));
    const total = await totalImages(server);
    const said = server.output().length;
    await fill();
    const { id } = await startImport(server, { path: '.' });
    await vi.waitFor(
      () => expect(server.output().slice(said)).toMatch(/waits 1 s: The disk of the server is full/),
      20_000,
    );
    expect((await server.json<ImportView>(`/imports/${id}`)).status).toBe('running');
    await rm(filler);
    expect(await endOfImport(server, id)).toMatchObject({
      status: 'done',
      added: 5,
      duplicates: 0,
      failed: 0,
    });
    expect(await totalImages(server)).toBe(total + 5);
  });

  it('is distinguished from a folder that cannot be written', async () => {
    const total = await totalImages(server);
    execFileSync('mount', ['-o', 'remount,ro', images]);
    const problem = await server.problem('/images', formRequest({ image: await noise(300) }));
    expect([problem.status, problem.code]).toEqual([503, 'storage_unavailable']);
    expect(await totalImages(server)).toBe(total);
    execFileSync('mount', ['-o', 'remount,rw', images]);
    expect((await server.fetch('/images', formRequest({ image: await noise(300) }))).status).toBe(201);
  });
});
