/** What is stored, seen over time: duplicates, lost files, remains of killed uploads, a lost database. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { copyDataFolder, freshDataFolder } from './support/data-folder.js';
import { colourPng } from './support/images.js';
import { runImport } from './support/imports.js';
import { TestServer, formRequest, runToEnd } from './support/server.js';
import { useCheckpoint, useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Uploaded {
  id: string;
  status: string;
  fileName: string | null;
  captions: string[];
  tags: string[];
  merged?: { captions: string[]; tags: string[]; file: boolean };
}

const folder = useFolder();
const checkpoint = useCheckpoint(folder);

const upload = async (server: TestServer, fields: Parameters<typeof formRequest>[0]) =>
  (await server.json<{ items: Uploaded[] }>('/images', formRequest(fields))).items;

const storedNames = async (data: string, kind: 'images' | 'thumbnails', id: string) =>
  (await readdir(join(data, kind, id.slice(0, 2)))).filter((name) => name.includes(id));

/**
 * A data folder that a service has left in which a red and a blue image are stored, the red one with a thumbnail. One is
 * made, and each test gets a copy.
 */
const kept = join(folder, 'kept');
let red: string;
beforeAll(async () => {
  const server = await TestServer.start({
    CLIP_CHECKPOINT: checkpoint,
    DATA_DIR: await freshDataFolder(kept),
  });
  const [first] = await upload(server, { image: [await colourPng('red'), await colourPng('blue')] });
  red = first!.id;
  await server.fetch(`/images/${red}/thumbnail`);
  expect(await server.stop()).toBe(0);
});
function copyOfKept(name: string): string {
  const data = join(folder, name);
  copyDataFolder(kept, data);
  return data;
}

describe('an image that comes again', () => {
  const own = useFolder();
  const data = join(own, 'data');
  const root = join(own, 'root');
  beforeAll(() => mkdir(root));
  const server = useServer(own, { IMPORT_ROOT: root });

  it('adds the captions and tags that were missing, keeps its name, and says what was added', async () => {
    const image = await colourPng('red');
    const [first] = await upload(server, { image, captions: ['one', 'two'], tags: 'warm' });
    expect(first).toMatchObject({ status: 'created', fileName: 'file0.png' });
    expect(first?.merged).toBeUndefined();
    const [second] = await upload(server, { image, captions: ['two', 'three'], tags: ['cold', 'warm'] });
    expect(second).toMatchObject({
      id: first!.id,
      status: 'duplicate',
      captions: ['one', 'two', 'three'],
      tags: ['warm', 'cold'],
      merged: { captions: ['three'], tags: ['cold'], file: false },
    });
    const [third] = await upload(server, { image });
    expect(third?.merged).toEqual({ captions: [], tags: [], file: false });
    expect((await server.json<{ total: number }>('/search?q=red&tag=cold')).total).toBe(1);
    const same = await upload(server, {
      image: [await colourPng('blue'), await colourPng('blue')],
      tags: 'x',
    });
    expect(same.map(({ status, tags }) => [status, tags])).toEqual([
      ['created', ['x']],
      ['duplicate', ['x']],
    ]);
  });

  it('gathers at most 100 captions', async () => {
    const image = await colourPng('green');
    const texts = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => `caption ${from + n}`);
    await upload(server, { image, captions: texts(0, 90) });
    const [again] = await upload(server, { image, captions: texts(80, 50) });
    expect(again?.captions).toEqual(texts(0, 100));
    expect(again?.merged?.captions).toEqual(texts(90, 10));
  });

  it('puts a lost file back, by an upload and by an import', async () => {
    const image = await colourPng('yellow');
    const [{ id }] = (await upload(server, { image })) as [Uploaded];
    const file = join(data, 'images', id.slice(0, 2), `${id}.png`);
    await server.fetch(`/images/${id}/thumbnail`);
    for (const lose of [() => rm(file), () => writeFile(file, image.subarray(0, 20))]) {
      await lose();
      await rm(join(data, 'thumbnails'), { recursive: true });
      const [again] = await upload(server, { image });
      expect(again).toMatchObject({ status: 'duplicate', merged: { file: true } });
      expect(new Uint8Array(await readFile(file))).toEqual(image);
      expect((await server.fetch(`/images/${id}/thumbnail`)).status).toBe(200);
    }
    await rm(file);
    expect((await server.problem(`/images/${id}/file`)).code).toBe('image_not_found');
    await writeFile(join(root, 'yellow.png'), image);
    expect(await runImport(server, { path: '.' })).toMatchObject({ status: 'done', added: 0, duplicates: 1 });
    expect((await server.fetch(`/images/${id}/file`)).status).toBe(200);
  });
});

describe('the remains of uploads that were killed', () => {
  it('are removed at the next start when they are old, and nothing else is', async () => {
    const data = copyOfKept('remains');
    const old = new Date(Date.now() - 2 * 3_600_000);
    const put = async (kind: 'images' | 'thumbnails', name: string, time?: Date) => {
      const path = join(data, kind, name.replace(/^\./, '').slice(0, 2), name);
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, 'x');
      if (time) await utimes(path, time, time);
    };
    const [orphan, young] = ['a'.repeat(64), 'b'.repeat(64)] as const;
    await put('images', `${orphan}.png`, old);
    await put('thumbnails', `${orphan}.webp`, old);
    await put('images', `.${orphan}.png.4711-0123456789ab.tmp`, old);
    await put('images', `${young}.jpg`);
    for (const kind of ['images', 'thumbnails'] as const) {
      const [name] = await storedNames(data, kind, red);
      await utimes(join(data, kind, red.slice(0, 2), name!), old, old);
    }
    const server = await TestServer.start({ CLIP_CHECKPOINT: checkpoint, DATA_DIR: data });
    await vi.waitFor(() => expect(server.output()).toMatch(/2 files without a row were removed/), 10_000);
    expect(await storedNames(data, 'images', orphan)).toEqual([]);
    expect(await storedNames(data, 'thumbnails', orphan)).toEqual([]);
    expect(await storedNames(data, 'images', young)).toHaveLength(1);
    expect(await storedNames(data, 'images', red)).toHaveLength(1);
    expect(await storedNames(data, 'thumbnails', red)).toHaveLength(1);
    await server.stop();
  });
});

describe('a database without rows beside stored images', () => {
  it('is refused with what to do', async () => {
    const data = copyOfKept('lost');
    await rm(join(data, 'database'), { recursive: true });
    await freshDataFolder(data);
    const { code, output } = await runToEnd({ CLIP_CHECKPOINT: checkpoint, DATA_DIR: data, PORT: '0' });
    expect(code).toBe(2);
    expect(output).toMatch(/holds no images, but .*images holds 2 image files/);
    expect(output).toMatch(/restore the database/);
    expect(output).not.toMatch(/\.js:\d/);
  });

  it('brings the images back by an import of the folder once it is moved away', async () => {
    const data = copyOfKept('moved');
    await rm(join(data, 'database'), { recursive: true });
    await freshDataFolder(data);
    const lost = join(data, 'images.lost');
    await rename(join(data, 'images'), lost);
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: data, IMPORT_ROOT: lost };
    const server = await TestServer.start(env);
    expect(await runImport(server, { path: '.' })).toMatchObject({ status: 'done', added: 2 });
    await server.stop();
  });

  it('is an empty collection when all images were deleted, or the first upload was killed', async () => {
    const data = await freshDataFolder(join(folder, 'emptied'));
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: data };
    const stray = join(data, 'images', 'aa', `${'a'.repeat(64)}.png`);
    await mkdir(join(stray, '..'), { recursive: true });
    await writeFile(stray, 'x');
    const server = await TestServer.start(env);
    const nothing = { items: [], total: 0, limit: 20, offset: 0 };
    expect(await server.json('/images')).toEqual({ ...nothing, nextCursor: null });
    expect(await server.json('/search?q=red')).toMatchObject(nothing);
    const [{ id }] = (await upload(server, { image: await colourPng('red') })) as [Uploaded];
    expect(await server.json('/images')).toMatchObject({ total: 1 });
    expect(await server.json('/search?q=red')).toMatchObject({ total: 1 });
    await server.fetch(`/images/${id}`, { method: 'DELETE' });
    await server.stop();
    const again = await TestServer.start(env);
    expect(await again.json('/images')).toMatchObject({ total: 0 });
    await again.stop();
  });
});

/** Every file below `root` with the hash of its bytes. Synchronous, for the same reason as copyDataFolder. */
function contents(root: string): Record<string, string> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  return Object.fromEntries(files.sort().map((path) => [path, hashOf(path)]));
}

const TABLES_OVERWRITTEN = 'tables overwritten';

describe('a damaged database beside stored images', () => {
  it('is refused with what to do, and nothing on disk changes', async () => {
    const data = copyOfKept('damaged');
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: data };
    const database = join(data, 'database');
    const sound = join(kept, 'database');
    await rm(database, { recursive: true });
    const overwriteLog = async () => {
      const log = join(database, 'pg_wal');
      for (const name of await readdir(log)) {
        if (/^[0-9A-F]{24}$/.test(name)) await writeFile(join(log, name), Buffer.alloc(1 << 20, 7));
      }
    };
    const overwriteTables = async () => {
      for (const entry of await readdir(join(database, 'base'), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || entry.name === 'PG_VERSION') continue;
        await writeFile(join(entry.parentPath, entry.name), Buffer.alloc(8192, 0x33));
      }
    };
    const damages: [string, () => Promise<void>][] = [
      ['control file cut off', () => truncate(join(database, 'global', 'pg_control'), 100)],
      ['control file overwritten', () => writeFile(join(database, 'global', 'pg_control'), 'Z'.repeat(8192))],
      ['log overwritten', overwriteLog],
      ['version gone', () => rm(join(database, 'PG_VERSION'))],
      [TABLES_OVERWRITTEN, overwriteTables],
      ['tables gone', () => rm(join(database, 'base'), { recursive: true })],
    ];
    for (const [name, damage] of damages) {
      copyDataFolder(sound, database);
      await damage();
      // What only a query can find, it finds after the engine has written that the log is read.
      const kept = name === TABLES_OVERWRITTEN ? join(data, 'images') : data;
      const before = contents(kept);
      const { code, output } = await runToEnd({ ...env, PORT: '0' });
      expect([name, code, output]).toEqual([
        name,
        2,
        expect.stringContaining(`database in ${database} cannot`),
      ]);
      expect(output).toMatch(/image files in .*images do not depend on it and are untouched/);
      expect(output).not.toMatch(/\.js:\d|\[object/);
      expect(contents(kept), name).toEqual(before);
      await rm(database, { recursive: true });
    }
  });
});
