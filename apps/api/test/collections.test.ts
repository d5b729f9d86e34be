/** Collections, and what narrows the list of images. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { colourPng } from './support/images.js';
import { formRequest, jsonRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 240_000 });

interface Collection {
  id: string;
  name: string;
  images: number;
}
interface Found {
  items: { id: string }[];
  nextCursor: string | null;
  total?: number;
}

const onLinux = process.platform === 'linux';
const folder = useFolder();
const threads = join(folder, 'threads');
const counting = {
  NODE_OPTIONS: `--import ${new URL('../../../scripts/session-threads.mjs', import.meta.url).href}`,
  SESSION_THREADS: threads,
};
/** On one core: its searches and lists are as on many. */
const server = onLinux
  ? useServer(folder, counting, { launcher: ['taskset', '-c', '0'] })
  : useServer(folder);
const ids: string[] = [];

/** Five images, red first. */
beforeAll(async () => {
  for (const [n, name] of ['red', 'green', 'blue', 'white', 'black'].entries()) {
    const image = await colourPng(name);
    const { items } = await server.json<Found>('/images', formRequest({ image, tags: [name, `n${n % 2}`] }));
    ids.push(items[0]!.id);
  }
});

const patch = (body: object) => ({ ...jsonRequest(body), method: 'PATCH' });
const create = (name: string, images: string[] = []) =>
  server.postJson<Collection>('/collections', { name, images });
const found = async (query: string) =>
  (await server.json<Found>(`/search?q=red&${query}`)).items.map(({ id }) => id).toSorted();

describe('a collection', () => {
  it('is made, filled, renamed, emptied and deleted, and search keeps to it at once', async () => {
    const made = await create('holiday', ids.slice(0, 2));
    expect(made).toMatchObject({ name: 'holiday', images: 2 });
    const path = `/collections/${made.id}`;
    expect(await found(`collection=${made.id}`)).toEqual(ids.slice(0, 2).toSorted());
    const changed = await server.json<Collection>(
      path,
      patch({ name: 'holidays', add: [ids[2], ids[1]], remove: [ids[0], ids[4]] }),
    );
    expect(changed).toMatchObject({ name: 'holidays', images: 2 });
    expect(await found(`collection=${made.id}`)).toEqual(ids.slice(1, 3).toSorted());
    expect(await found(`collection=${made.id}&tag=n0&-tag=red`)).toEqual([ids[2]]);
    expect(await server.json(path)).toEqual(changed);
    expect((await server.fetch(path, { method: 'DELETE' })).status).toBe(204);
    expect(await found(`collection=${made.id}`)).toEqual([]);
    expect(await server.problem(path)).toMatchObject({ status: 404, code: 'collection_not_found' });
    expect((await server.json<Found>('/images?tag=n0')).total).toBe(3);
  });

  it('narrows by several, and forgets an image that is deleted', async () => {
    const gone = (await server.json<Found>('/images', formRequest({ image: await colourPng('red', 7) })))
      .items[0]!.id;
    const a = await create('a', [ids[0]!, ids[1]!, gone]);
    const b = await create('b', [ids[1]!, gone]);
    expect(await found(`collection=${a.id}&collection=${b.id}`)).toEqual([ids[1]!, gone].toSorted());
    await server.fetch(`/images/${gone}`, { method: 'DELETE' });
    expect(await found(`collection=${a.id}&collection=${b.id}`)).toEqual([ids[1]]);
    const { items } = await server.json<{ items: Collection[] }>('/collections');
    expect(items.filter(({ name }) => name === 'a' || name === 'b')).toMatchObject([
      { name: 'a', images: 2 },
      { name: 'b', images: 1 },
    ]);
    const [first] = (await server.json<{ items: Collection[] }>('/collections?limit=1&offset=1')).items;
    expect(first).toEqual(items[1]);
  });

  it('is refused with a name that is taken, unknown images, or nothing to change, and stays as it is', async () => {
    const one = await create('one', [ids[0]!]);
    const other = await create('other');
    const code = async (path: string, options: object) => (await server.problem(path, options)).code;
    expect(await code('/collections', jsonRequest({ name: 'one' }))).toBe('conflict');
    expect(await code(`/collections/${other.id}`, patch({ name: 'one' }))).toBe('conflict');
    const unknown = '0'.repeat(64);
    expect(await code(`/collections/${one.id}`, patch({ name: 'two', add: [unknown] }))).toBe(
      'image_not_found',
    );
    expect(await code('/collections', jsonRequest({ name: 'new', images: [unknown] }))).toBe(
      'image_not_found',
    );
    expect(await code(`/collections/${one.id}`, patch({}))).toBe('invalid_request');
    expect(await code('/collections', jsonRequest({ name: ' ' }))).toBe('invalid_request');
    for (const id of ['x', '%00', ids[0]!])
      expect(await code(`/collections/${id}`, patch({ name: 'x' }))).toBe('collection_not_found');
    expect(await server.json(`/collections/${one.id}`)).toEqual(one);
  });
});

describe.runIf(onLinux)('a service on one core', () => {
  it('computes embeddings on the thread that asks for them', async () => {
    // The sessions of images and of texts, and the threads that ONNX Runtime started for each.
    expect(await readFile(threads, 'utf8')).toBe('0\n0\n');
  });
});

describe('the list of images', () => {
  it('is narrowed as a search is, in either order', async () => {
    const listed = async (query: string) =>
      (await server.json<Found>(`/images?${query}`)).items.map(({ id }) => id);
    expect(await listed('tag=n0')).toEqual([ids[4], ids[2], ids[0]]);
    expect(await listed('tag=n0&order=oldest&limit=2')).toEqual([ids[0], ids[2]]);
    const first = await server.json<Found>('/images?tag=n0&order=oldest&limit=2');
    expect(await listed(`tag=n0&order=oldest&cursor=${first.nextCursor}`)).toEqual([ids[4]]);
    expect(await listed('tag=n1&-tag=white')).toEqual([ids[1]]);
    expect(await listed('to=2020-01-01')).toEqual([]);
    const { id } = await create('listed', [ids[3]!]);
    expect(await listed(`collection=${id}&from=2020-01-01`)).toEqual([ids[3]]);
    expect(await server.json<Found>('/images?tag=n1&limit=1')).toMatchObject({ total: 2 });
  });
});
