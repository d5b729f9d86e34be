/** Imports from the server's disk: folders, COCO datasets, progress, failures, going on after a kill. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ImportView } from '../src/imports/import.schema.js';
import { freshDataFolder } from './support/data-folder.js';
import { colourPng, rgbPng } from './support/images.js';
import { TestServer, jsonRequest } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const PLAIN_COUNT = 200;

let folder: string;
let env: Record<string, string>;
let server: TestServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-imports-'));
  const root = join(folder, 'root');
  await mkdir(join(root, 'plain', 'deep'), { recursive: true });
  for (let n = 0; n < PLAIN_COUNT; n++) {
    await writeFile(join(root, 'plain', n % 2 ? 'deep' : '.', `${n}.png`), await rgbPng(n, 255 - n, 99));
  }
  await mkdir(join(root, 'coco', 'annotations'), { recursive: true });
  await mkdir(join(root, 'coco', 'images', 'val2017'), { recursive: true });
  const names = ['red', 'green', 'blue'];
  for (const name of names)
    await writeFile(join(root, 'coco/images/val2017', `${name}.png`), await colourPng(name));
  await writeFile(join(root, 'coco/images/val2017/bad.png'), 'not an image');
  await symlink(join(folder, 'outside.png'), join(root, 'coco/images/val2017/link.png'));
  await writeFile(join(folder, 'outside.png'), await colourPng('white'));
  const images = [...names, 'bad', 'gone'].map((name, id) => ({ id, file_name: `${name}.png` }));
  await writeFile(
    join(root, 'coco/annotations/captions_val2017.json'),
    JSON.stringify({
      images,
      annotations: images.map(({ id }) => ({ image_id: id, caption: `picture ${id}` })),
    }),
  );
  await writeFile(
    join(root, 'coco/annotations/instances_val2017.json'),
    JSON.stringify({
      images,
      annotations: [{ image_id: 0, category_id: 1 }],
      categories: [{ id: 1, name: 'warm' }],
    }),
  );
  await mkdir(join(root, 'empty'));
  env = {
    CLIP_CHECKPOINT: await writeTinyCheckpoint(join(folder, 'checkpoint')),
    DATA_DIR: await freshDataFolder(join(folder, 'data')),
    IMPORT_ROOT: root,
  };
  server = await TestServer.start(env);
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

const start = (body: object) => server.postJson<ImportView>('/imports', body);

async function finish(id: string): Promise<ImportView> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const job = await server.json<ImportView>(`/imports/${id}`);
    if (job.status === 'done' || job.status === 'failed') return job;
    await delay(50);
  }
  throw new Error('the import did not end');
}

describe('an import', () => {
  it('brings in a COCO split with captions and tags, and names the files that it cannot take', async () => {
    const response = await server.fetch('/imports', jsonRequest({ path: 'coco', split: 'val2017' }));
    expect(response.status).toBe(202);
    const { id } = (await response.json()) as ImportView;
    expect(response.headers.get('location')).toBe(`/imports/${id}`);
    const job = await finish(id);
    expect(job).toMatchObject({ status: 'done', total: 5, processed: 5, added: 3, duplicates: 0, failed: 2 });
    expect(job.failures).toEqual([
      expect.objectContaining({ file: 'images/val2017/gone.png', code: 'import_unreadable' }),
      expect.objectContaining({ file: 'images/val2017/bad.png', code: 'undecodable_image' }),
    ]);
    const found = await server.json<{ items: object[] }>('/search?q=red&tag=warm');
    expect(found.items).toEqual([
      expect.objectContaining({ caption: 'picture 0', fileName: 'red.png', tags: ['warm'] }),
    ]);
  });

  it('done again adds nothing', async () => {
    const job = await finish((await start({ path: join(folder, 'root', 'coco') })).id);
    expect(job).toMatchObject({ status: 'done', added: 0, duplicates: 3, failed: 2 });
  });

  it('goes on where it was cut off by a kill, and adds each image once', async () => {
    const { id } = await start({ path: 'plain', format: 'folder' });
    let seen = 0;
    while (seen < 32) seen = (await server.json<ImportView>(`/imports/${id}`)).processed;
    await server.stop('SIGKILL');
    server = await TestServer.start(env);
    const job = await finish(id);
    expect(job).toMatchObject({ status: 'done', total: PLAIN_COUNT, processed: PLAIN_COUNT, failed: 0 });
    const { total } = await server.json<{ total: number }>('/images');
    expect(total).toBe(PLAIN_COUNT + 3);
  });

  it('that is asked for twice is one job while it runs', async () => {
    const [first, second] = await Promise.all([start({ path: 'plain' }), start({ path: 'plain' })]);
    await Promise.all([finish(first.id), finish(second.id)]);
    const again = await finish((await start({ path: 'plain', limit: 7 })).id);
    expect(again).toMatchObject({ total: 7, duplicates: 7 });
  });

  it('of a folder without images fails and says so', async () => {
    const job = await finish((await start({ path: 'empty' })).id);
    expect(job.status).toBe('failed');
    expect(job.error).toMatch(/no images/);
  });

  it.each(['..', '/etc', '../outside.png', 'absent'])('of %s is refused', async (path) => {
    const problem = await server.problem('/imports', jsonRequest({ path }));
    expect([problem.status, problem.code]).toEqual([403, 'import_forbidden']);
  });

  it.each([
    {},
    { path: '' },
    { path: 'coco', split: '../x' },
    { path: 'coco', limit: 0 },
    { path: 'a', mode: 'x' },
  ])('with a wrong body is refused: %j', async (body) => {
    expect((await server.problem('/imports', jsonRequest(body))).code).toBe('invalid_request');
  });
});
