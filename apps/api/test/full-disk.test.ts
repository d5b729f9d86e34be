/** A disk that is full, or that cannot be written: a small file system of its own, which only root can mount. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ImportView } from '../src/imports/import.schema.js';
import { freshDataFolder } from './support/data-folder.js';
import { TestServer, formRequest } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';

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
  let folder: string;
  let data: string;
  let root: string;
  let server: TestServer;
  const images = () => join(data, 'images');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clip-full-'));
    data = await freshDataFolder(join(folder, 'data'));
    root = join(folder, 'root');
    await mkdir(root);
    await mkdir(images());
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', images()]);
    server = await TestServer.start({
      CLIP_CHECKPOINT: await writeTinyCheckpoint(join(folder, 'checkpoint')),
      DATA_DIR: data,
      IMPORT_ROOT: root,
    });
  });
  afterAll(async () => {
    await server.stop();
    execFileSync('umount', [images()]);
    await rm(folder, { recursive: true });
  });

  const storedFiles = async () => {
    const names = await readdir(images(), { recursive: true });
    const facts = await Promise.all(
      names.map(async (name) => ({ name, of: await stat(join(images(), name)) })),
    );
    return facts.filter(({ name, of }) => of.isFile() && !name.endsWith('.in-use')).map(({ name }) => name);
  };
  const total = async () => (await server.json<{ total: number }>('/images')).total;
  const fill = () => writeFile(join(images(), 'filler'), Buffer.alloc(4_000_000)).catch(() => undefined);

  it('is said with a code of its own, leaves nothing half-written, and passes', async () => {
    const image = await noise(1);
    await fill();
    const problem = await server.problem('/images', formRequest({ image }));
    expect([problem.status, problem.code]).toEqual([507, 'storage_full']);
    expect(await total()).toBe(0);
    expect(await storedFiles()).toEqual(['filler']);
    expect((await server.fetch('/healthz')).status).toBe(200);
    expect((await server.fetch('/classify', formRequest({ image, labels: 'red' }))).status).toBe(200);
    await rm(join(images(), 'filler'));
    expect((await server.fetch('/images', formRequest({ image }))).status).toBe(201);
  });

  it('takes back the files of a request of which one no longer fits', async () => {
    const before = await storedFiles();
    const image = await Promise.all(Array.from({ length: 15 }, (_, n) => noise(100 + n)));
    const problem = await server.problem('/images', formRequest({ image }));
    expect(problem.code).toBe('storage_full');
    expect(await total()).toBe(1);
    expect((await storedFiles()).sort()).toEqual(before.sort());
  });

  it('lets an import wait, which then goes on by itself and loses nothing', async () => {
    for (let n = 0; n < 5; n++) await writeFile(join(root, `${n}.png`), await noise(200 + n));
    await fill();
    const { id } = await server.postJson<ImportView>('/imports', { path: '.' });
    await vi.waitFor(
      () => expect(server.output()).toMatch(/waits 1 s: The disk of the server is full/),
      20_000,
    );
    expect((await server.json<ImportView>(`/imports/${id}`)).status).toBe('running');
    await rm(join(images(), 'filler'));
    const job = () => server.json<ImportView>(`/imports/${id}`);
    await vi.waitFor(async () => expect((await job()).status).toBe('done'), {
      timeout: 60_000,
      interval: 100,
    });
    expect(await job()).toMatchObject({ added: 5, duplicates: 0, failed: 0 });
    expect(await total()).toBe(6);
  });

  it('is told from a folder that cannot be written', async () => {
    execFileSync('mount', ['-o', 'remount,ro', images()]);
    const problem = await server.problem('/images', formRequest({ image: await noise(300) }));
    expect([problem.status, problem.code]).toEqual([503, 'storage_unavailable']);
    expect(await total()).toBe(6);
    execFileSync('mount', ['-o', 'remount,rw', images()]);
    expect((await server.fetch('/images', formRequest({ image: await noise(300) }))).status).toBe(201);
  });
});
