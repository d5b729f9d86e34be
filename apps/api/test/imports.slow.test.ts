/** Imports from the server's disk: folders, COCO datasets, progress, failures, going on after a kill. */
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import sharp from 'sharp';
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
// One of the formats that are off by default is on, and one that is on by default is off.
const server = useServer(folder, { IMPORT_ROOT: root, IMAGE_FORMATS: 'jpeg,png,webp,avif' }, {});

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
      expect.objectContaining({ file: 'gone.png', code: 'import_unreadable' }),
      expect.objectContaining({ file: 'images/val2017/bad.png', code: 'undecodable_image' }),
    ]);
    const found = await server.json<{ items: object[] }>('/search?q=red&tag=warm+coco');
    expect(found.items).toEqual([
      expect.objectContaining({ caption: 'picture 0', fileName: 'red.png', tags: ['warm coco'] }),
    ]);
    const again = await runImport(server, { path: join(root, 'coco') });
    expect(again).toMatchObject({ status: 'done', added: 0, duplicates: 3, failed: 2 });
  });

  it('takes the formats of IMAGE_FORMATS, from folders, tables and shards, and names each file of another', async () => {
    const series = ++made;
    const picture = sharp(await rgbPng(1, 2, series));
    const path = (...parts: string[]) => join(root, 'formats', ...parts);
    await mkdir(path('photos'), { recursive: true });
    const files = { 'a.avif': 'avif', 'b.tif': 'tiff', 'c.gif': 'gif', 'd.png': 'png' } as const;
    for (const [name, format] of Object.entries(files))
      await writeFile(path('photos', name), await picture.clone().toFormat(format).toBuffer());
    // What it is counts, not what it is called.
    await writeFile(path('photos/e.png'), await picture.clone().tiff().toBuffer());
    const refused = (file: string) => ({
      file,
      code: 'unsupported_image_format',
      detail: expect.stringMatching(/jpeg, .*png.*setting IMAGE_FORMATS/) as string,
    });
    const inFolder = await runImport(server, { path: 'formats/photos' });
    expect(inFolder).toMatchObject({ status: 'done', total: 5, added: 2, failed: 3 });
    expect(inFolder.failures).toEqual(['b.tif', 'c.gif', 'e.png'].map(refused));

    await writeFile(path('photos.csv'), 'image,caption\nphotos/a.avif,an image\nphotos/b.tif,a scan\n');
    const inTable = await runImport(server, { path: 'formats/photos.csv' });
    expect(inTable).toMatchObject({ status: 'done', duplicates: 1, failures: [refused('photos/b.tif')] });

    execFileSync('tar', ['-cf', path('set-0.tar'), '-C', path('photos'), 'a.avif', 'b.tif']);
    const inShard = await runImport(server, { path: 'formats/set-0.tar' });
    expect(inShard).toMatchObject({ duplicates: 1, failures: [refused('set-0.tar#b.tif')] });
  });

  it('resumes where a kill interrupted it, and adds each image once', async () => {
    const count = 100;
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

describe('control of an import', () => {
  const control = (id: string, action: string) =>
    server.fetch(`/imports/${id}/${action}`, { method: 'POST' });
  const state = async (id: string) => (await server.json<ImportView>(`/imports/${id}`)).status;

  it('pauses, resumes, cancels and retries, and counts each image once', async () => {
    const count = 100;
    await writeFolder('controlled', count);
    const before = await totalImages(server);
    const { id } = await startImport(server, { path: 'controlled' });
    await vi.waitFor(async () => expect(await state(id)).toBe('running'), { timeout: 20_000, interval: 5 });
    expect(await (await control(id, 'pause')).json()).toMatchObject({ status: 'paused' });
    const { processed } = await server.json<ImportView>(`/imports/${id}`);
    expect(processed).toBeLessThan(count);
    await delay(300);
    expect(await server.json(`/imports/${id}`)).toMatchObject({ status: 'paused', processed });
    // Asking for the same again gives the paused job; what does not fit its state is refused.
    expect((await startImport(server, { path: 'controlled' })).id).toBe(id);
    for (const action of ['pause', 'retry']) {
      expect((await server.problem(`/imports/${id}/${action}`, { method: 'POST' })).code).toBe(
        'import_state',
      );
    }
    expect((await server.problem('/imports/nothing/pause', { method: 'POST' })).code).toBe(
      'import_not_found',
    );

    expect((await control(id, 'resume')).status).toBe(200);
    expect(await (await control(id, 'cancel')).json()).toMatchObject({ status: 'cancelled' });
    expect((await control(id, 'retry')).status).toBe(200);
    const done = await endOfImport(server, id);
    expect(done).toMatchObject({ status: 'done', processed: count, added: count, duplicates: 0 });
    expect(await totalImages(server)).toBe(before + count);
    // A job that is done begins again: by now all are known.
    await control(id, 'retry');
    expect(await endOfImport(server, id)).toMatchObject({ status: 'done', added: 0, duplicates: count });
  });

  it('tells its progress as events until it ends, and ends with the service’s patience for streams', async () => {
    await writeFolder('followed', 50);
    const { id } = await startImport(server, { path: 'followed' });
    const response = await server.fetch(`/imports/${id}/events`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const events = (await response.text()).trim().split('\n\n');
    const jobs = events.map(
      (event) => JSON.parse(event.replace(/^event: progress\ndata: /, '')) as ImportView,
    );
    expect(jobs.at(-1)).toMatchObject({ id, status: 'done', added: 50 });
    expect(new Set(events).size).toBe(events.length);
    expect((await server.problem('/imports/nothing/events')).code).toBe('import_not_found');

    // A paused job keeps its streams open, of which there are few.
    await writeFolder('waiting', 40);
    const waiting = await startImport(server, { path: 'waiting' });
    await control(waiting.id, 'pause');
    const path = `/imports/${waiting.id}/events`;
    const gone = new AbortController();
    const open = await Promise.all(
      Array.from({ length: 33 }, () => server.fetch(path, { signal: gone.signal })),
    );
    expect(open.map(({ status }) => status).sort()).toEqual([...Array<number>(32).fill(200), 503]);
    gone.abort();
    await vi.waitFor(async () => {
      const again = await fetch(`${server.url}${path}`, { signal: AbortSignal.timeout(2000) });
      expect(again.status).toBe(200);
      await again.body?.cancel();
    }, 10_000);
    await control(waiting.id, 'cancel');
  });

  it('says what happens to captions and tags of images that are there', async () => {
    await writeCoco('again');
    await runImport(server, { path: 'again', onDuplicate: 'skip' });
    const found = async () => {
      const query = `/search?q=red&tag=${encodeURIComponent('warm again')}`;
      return (await server.json<{ items: { id: string; captions: string[] }[] }>(query)).items;
    };
    const { id } = (await found())[0]!;
    const own = { captions: ['my own words'], tags: ['warm again', 'mine'] };
    await server.json(`/images/${id}`, { ...jsonRequest(own), method: 'PATCH' });
    const after = async (onDuplicate: string) => {
      await runImport(server, { path: 'again', onDuplicate });
      return server.json<{ captions: string[]; tags: string[] }>(`/images/${id}`);
    };
    expect(await after('skip')).toMatchObject(own);
    expect((await after('merge')).captions).toEqual(['my own words', 'picture 0']);
    expect(await after('replace')).toMatchObject({ captions: ['picture 0'], tags: ['warm again'] });
  });
});
