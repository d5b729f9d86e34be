/** Imports from the server's disk: folders, COCO datasets, progress, failures, going on after a kill. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { ImportView } from '../src/imports/import.schema.js';
import { totalImages } from './support/collection.js';
import { colourPng, rgbPng } from './support/images.js';
import { endOfImport, runImport, startImport } from './support/imports.js';
import { jsonRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = useFolder();
const root = join(folder, 'root');

beforeAll(async () => {
  await mkdir(join(root, 'empty'), { recursive: true });
});
const server = useServer(folder, { IMPORT_ROOT: root });

let made = 0;
/** Writes `count` images that no other test has into a folder of the root, half of them into a folder below. */
async function writeFolder(name: string, count: number): Promise<void> {
  const series = ++made;
  await mkdir(join(root, name, 'deep'), { recursive: true });
  for (let n = 0; n < count; n++) {
    await writeFile(join(root, name, n % 2 ? 'deep' : '.', `${n}.png`), await rgbPng(n, 255 - n, series));
  }
}

/**
 * Writes a COCO dataset with the split val2017: a red, a green and a blue image that no other test has, a file that is
 * no image, one that is not there, and a link to a file outside the root, which nothing names.
 */
async function writeCoco(name: string): Promise<void> {
  const series = ++made;
  const path = (...parts: string[]) => join(root, name, ...parts);
  await mkdir(path('annotations'), { recursive: true });
  await mkdir(path('images/val2017'), { recursive: true });
  const colours = ['red', 'green', 'blue'];
  for (const colour of colours) {
    await writeFile(path('images/val2017', `${colour}.png`), await colourPng(colour, series));
  }
  await writeFile(path('images/val2017/bad.png'), 'not an image');
  await writeFile(join(folder, `${name}.png`), await colourPng('white', series));
  await symlink(join(folder, `${name}.png`), path('images/val2017/link.png'));
  const images = [...colours, 'bad', 'gone'].map((file, id) => ({ id, file_name: `${file}.png` }));
  const annotations = images.map(({ id }) => ({ image_id: id, caption: `picture ${id}` }));
  await writeFile(path('annotations/captions_val2017.json'), JSON.stringify({ images, annotations }));
  const tagged = {
    images,
    annotations: [{ image_id: 0, category_id: 1 }],
    categories: [{ id: 1, name: `warm ${name}` }],
  };
  await writeFile(path('annotations/instances_val2017.json'), JSON.stringify(tagged));
}

describe('an import', () => {
  it('brings in a COCO split with captions and tags, names the files that it cannot take, and done again adds nothing', async () => {
    await writeCoco('coco');
    const response = await server.fetch('/imports', jsonRequest({ path: 'coco', split: 'val2017' }));
    expect(response.status).toBe(202);
    const { id } = (await response.json()) as ImportView;
    expect(response.headers.get('location')).toBe(`/imports/${id}`);
    const job = await endOfImport(server, id);
    expect(job).toMatchObject({ status: 'done', total: 5, processed: 5, added: 3, duplicates: 0, failed: 2 });
    expect(job.failures).toEqual([
      expect.objectContaining({ file: 'images/val2017/gone.png', code: 'import_unreadable' }),
      expect.objectContaining({ file: 'images/val2017/bad.png', code: 'undecodable_image' }),
    ]);
    const found = await server.json<{ items: object[] }>('/search?q=red&tag=warm+coco');
    expect(found.items).toEqual([
      expect.objectContaining({ caption: 'picture 0', fileName: 'red.png', tags: ['warm coco'] }),
    ]);
    const again = await runImport(server, { path: join(root, 'coco') });
    expect(again).toMatchObject({ status: 'done', added: 0, duplicates: 3, failed: 2 });
  });

  it('goes on where it was cut off by a kill, and adds each image once', async () => {
    const count = 200;
    await writeFolder('killed', count);
    const before = await totalImages(server);
    const { id } = await startImport(server, { path: 'killed', format: 'folder' });
    let seen = 0;
    while (seen < 32) seen = (await server.json<ImportView>(`/imports/${id}`)).processed;
    await server.stop('SIGKILL');
    await server.start();
    const job = await endOfImport(server, id);
    expect(job).toMatchObject({ status: 'done', total: count, processed: count, failed: 0 });
    expect(await totalImages(server)).toBe(before + count);
  });

  it('that is asked for twice is one job while it runs', async () => {
    await writeFolder('twice', 40);
    const asked = [startImport(server, { path: 'twice' }), startImport(server, { path: 'twice' })];
    const [first, second] = await Promise.all(asked);
    expect(second!.id).toBe(first!.id);
    expect(await endOfImport(server, first!.id)).toMatchObject({ total: 40, added: 40, duplicates: 0 });
    const again = await runImport(server, { path: 'twice', limit: 7 });
    expect(again.id).not.toBe(first!.id);
    expect(again).toMatchObject({ total: 7, added: 0, duplicates: 7 });
  });

  it('of a folder without images fails and says so', async () => {
    const job = await runImport(server, { path: 'empty' });
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
    { path: 'empty', split: '../x' },
    { path: 'empty', limit: 0 },
    { path: 'a', mode: 'x' },
  ])('with a wrong body is refused: %j', async (body) => {
    expect((await server.problem('/imports', jsonRequest(body))).code).toBe('invalid_request');
  });
});
