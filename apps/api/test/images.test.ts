/** The collection of images as a client meets it: adding, finding, paging, files, deleting. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { totalImages } from './support/collection.js';
import { colourPng, rgbPng } from './support/images.js';
import { formRequest, jsonRequest } from './support/server.js';
import type { FormFields } from './support/server.js';
import { EMBEDDING_SIZE } from './support/tiny-checkpoint.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Found {
  items: { id: string; score: number; url: string; caption: string | null }[];
  total?: number;
}
interface Uploaded {
  items: { id: string; status: string }[];
}

const folder = useFolder();
const server = useServer(folder);

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const total = () => totalImages(server);

let made = 0;
/** An image of one colour with bytes that no other test has. */
const ownPng = (name: string) => colourPng(name, ++made);

/** Adds new images and returns their ids. */
async function add(fields: FormFields): Promise<string[]> {
  return (await server.json<Uploaded>('/images', formRequest(fields))).items.map(({ id }) => id);
}

/** Adds a red, a green and a blue image that share a tag. */
async function addColours(tag: string): Promise<[red: string, green: string, blue: string]> {
  const image = await Promise.all(['red', 'green', 'blue'].map(ownPng));
  return (await add({ image, tags: tag })) as [string, string, string];
}

describe('the collection', () => {
  it('takes one image: 201, with the hash of its bytes as id', async () => {
    const image = await ownPng('red');
    const { width } = await sharp(image).metadata();
    const form = formRequest({ image, captions: 'a red one', tags: ['warm', 'x'] });
    const response = await server.fetch('/images', form);
    const { items } = (await response.json()) as Uploaded;
    expect(response.status).toBe(201);
    expect(items[0]).toMatchObject({ status: 'created', width, tags: ['warm', 'x'], caption: 'a red one' });
    expect(items[0]?.id).toBe(createHash('sha256').update(image).digest('hex'));
  });

  it('takes several, and says which were there already', async () => {
    const [red, green, blue] = [await ownPng('red'), await ownPng('green'), await ownPng('blue')];
    await add({ image: red });
    const image = [red, green, blue, green];
    const { items } = await server.json<Uploaded>('/images', formRequest({ image }));
    expect(items.map(({ status }) => status)).toEqual(['duplicate', 'created', 'created', 'duplicate']);
    expect(items[3]?.id).toBe(items[1]?.id);
    const again = await server.fetch('/images', formRequest({ image }));
    expect(again.status).toBe(200);
  });

  it('stores nothing when one file of a request is bad', async () => {
    const before = await total();
    const image = [await ownPng('white'), new Uint8Array(Buffer.from('no'))];
    const problem = await server.problem('/images', formRequest({ image }));
    expect(problem).toMatchObject({ status: 422, code: 'undecodable_image' });
    expect(problem.errors).toEqual([
      expect.objectContaining({ field: 'file1.png', code: 'undecodable_image' }),
    ]);
    expect(await total()).toBe(before);
  });

  it('takes the same new image from many requests at once and stores it once', async () => {
    const before = await total();
    const image = await ownPng('black');
    const responses = await Promise.all(
      Array.from({ length: 10 }, () => server.fetch('/images', formRequest({ image }))),
    );
    const statuses = responses.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array<number>(9).fill(200), 201]);
    expect(await total()).toBe(before + 1);
  });

  it('is found by words, best first, with the cosine as score', async () => {
    const [red] = await add({ image: await ownPng('red'), captions: 'a red one', tags: 'words' });
    await add({ image: [await ownPng('green'), await ownPng('blue'), await ownPng('black')], tags: 'words' });
    const { items, total } = await server.json<Found>('/search?q=red&tag=words');
    expect(total).toBe(4);
    expect(items[0]).toMatchObject({ id: red, caption: 'a red one', url: `/images/${red}/file` });
    expect(items[0]?.score).toBeCloseTo(1, 4);
    const scores = items.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
  });

  it('is found by an image, by base64, and by a vector', async () => {
    const image = await rgbPng(10, 240, 130);
    const [id] = await add({ image: await rgbPng(11, 240, 130) });
    const byForm = await server.json<Found>('/search/image?limit=1', formRequest({ image }));
    expect(byForm.items[0]?.id).toBe(id);
    const byJson = await server.postJson<Found>('/search/image?limit=1', { inputs: base64(image) });
    expect(byJson).toEqual(byForm);
    const embedded = await server.postJson<{ embeddings: number[][]; dimension: number }>('/embed', {
      images: [base64(image)],
    });
    expect(embedded.dimension).toBe(EMBEDDING_SIZE);
    const vector = embedded.embeddings[0]!.map((value) => value * 7);
    const byVector = await server.postJson<Found>('/search/vector?limit=1', { vector });
    expect(byVector.items[0]?.id).toBe(id);
    expect(byVector.items[0]?.score).toBeCloseTo(byForm.items[0]!.score, 5);
  });

  it('can be filtered by score and by tags', async () => {
    const [red] = await addColours('scored');
    const high = await server.json<Found>('/search?q=red&minScore=0.9&tag=scored');
    expect(high.items.map(({ id }) => id)).toEqual([red]);
    expect(high.total).toBe(1);
    const [both] = await add({ image: await ownPng('red'), tags: ['scored', 'twice'] });
    const tagged = await server.json<Found>('/search?q=blue&tag=scored&tag=twice');
    expect(tagged.items.map(({ id }) => id)).toEqual([both]);
    expect((await server.json<Found>('/search?q=blue&tag=none')).items).toEqual([]);
  });

  it('can be paged: pages in a row are one long page', async () => {
    for (let n = 0; n < 7; n++) {
      const image = await Promise.all([1, 2, 3, 4].map((m) => rgbPng(35 * n, 50 * m, 20 * n + m)));
      await add({ image });
    }
    for (const path of ['/search?q=yellow', '/images?']) {
      const whole = await server.json<Found>(`${path}&limit=28`);
      const pages: Found['items'] = [];
      for (let offset = 0; offset < 28; offset += 7) {
        pages.push(...(await server.json<Found>(`${path}&limit=7&offset=${offset}`)).items);
      }
      expect(pages).toEqual(whole.items);
      expect(new Set(pages.map(({ id }) => id)).size).toBe(28);
    }
  });

  it('gives back the file as it came, cacheable, and a small WebP', async () => {
    const image = await ownPng('red');
    const [id] = await add({ image });
    const file = await server.fetch(`/images/${id}/file`);
    expect(Buffer.from(await file.arrayBuffer())).toEqual(Buffer.from(image));
    expect(file.headers.get('content-type')).toBe('image/png');
    expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    expect(file.headers.get('cache-control')).toMatch(/immutable/);
    expect(await statusWithTag(`${server.url}/images/${id}/file`, file.headers.get('etag')!)).toBe(304);
    const thumbnail = await server.fetch(`/images/${id}/thumbnail`);
    expect(thumbnail.headers.get('content-type')).toBe('image/webp');
    expect((await sharp(Buffer.from(await thumbnail.arrayBuffer())).metadata()).format).toBe('webp');
  });

  it('describes one image', async () => {
    const image = await ownPng('blue');
    const { width, height } = await sharp(image).metadata();
    const [id] = await add({ image });
    expect(await server.json(`/images/${id}`)).toMatchObject({
      id,
      mediaType: 'image/png',
      width,
      height,
      caption: null,
    });
  });

  it('forgets a deleted image everywhere, and takes it again', async () => {
    const image = await ownPng('blue');
    const form = () => formRequest({ image, tags: 'forgotten' });
    const { items } = await server.json<Uploaded>('/images', form());
    const id = items[0]!.id;
    const found = async () =>
      (await server.json<Found>('/search?q=blue&tag=forgotten')).items.map((item) => item.id);
    expect(await found()).toEqual([id]);
    expect((await server.fetch(`/images/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await server.problem(`/images/${id}`, { method: 'DELETE' })).code).toBe('image_not_found');
    expect((await server.problem(`/images/${id}/file`)).code).toBe('image_not_found');
    expect(await found()).toEqual([]);
    const stored = await readdir(join(folder, 'data', 'images', id.slice(0, 2)));
    expect(stored.filter((name) => name.startsWith(id))).toEqual([]);
    expect((await server.fetch('/images', form())).status).toBe(201);
    expect(await found()).toEqual([id]);
  });

  it('changes captions and tags, but not over the change of another', async () => {
    const [id] = await add({ image: await ownPng('red'), captions: 'before', tags: 'changed-before' });
    const { revision } = await server.json<{ revision: number }>(`/images/${id!}`);
    const patch = (body: unknown, match?: string) => ({
      ...jsonRequest(body, match === undefined ? {} : { 'If-Match': match }),
      method: 'PATCH',
    });
    const changed = await server.json<{ revision: number }>(
      `/images/${id!}`,
      patch({ tags: ['changed-after'] }, `"${revision}"`),
    );
    expect(changed).toMatchObject({ captions: ['before'], tags: ['changed-after'] });
    expect(changed.revision).toBeGreaterThan(revision);
    const found = async (tag: string) => (await server.json<Found>(`/search?q=red&tag=${tag}`)).total;
    expect([await found('changed-before'), await found('changed-after')]).toEqual([0, 1]);
    const late = await server.problem(`/images/${id!}`, patch({ captions: [] }, `"${revision}"`));
    expect([late.code, late.status]).toEqual(['precondition_failed', 412]);
    expect(await server.json(`/images/${id!}`, patch({ captions: [] }))).toMatchObject({ captions: [] });
    for (const [body, match] of [
      [{}, undefined],
      [{ captions: ['a'], name: 'x' }, undefined],
      [{ tags: ['a'] }, 'W/"1"'],
    ] as const) {
      expect((await server.problem(`/images/${id!}`, patch(body, match))).code).toBe('invalid_request');
    }
    const unknown = `/images/${'0'.repeat(64)}`;
    expect((await server.problem(unknown, patch({ tags: [] }))).code).toBe('image_not_found');
  });

  it('is read to its end by cursors, whatever comes and goes meanwhile', async () => {
    const own = await add({ image: await Promise.all([1, 2, 3, 4, 5].map(() => ownPng('cyan'))) });
    const seen: string[] = [];
    for (let path = '/images?limit=2'; ;) {
      const page = await server.json<Found & { nextCursor: string | null }>(path);
      seen.push(...page.items.map(({ id }) => id));
      if (page.nextCursor === null) break;
      await add({ image: await ownPng('white') });
      path = `/images?limit=2&cursor=${page.nextCursor}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.slice(0, 5)).toEqual(own.reverse());
    expect((await server.problem('/images?cursor=x')).code).toBe('invalid_request');
  });

  it.each(['x', '..%2f..%2fetc%2fpasswd', 'A'.repeat(64), '0'.repeat(64), '%00'])(
    'has no image %s',
    async (id) => {
      for (const path of [`/images/${id}`, `/images/${id}/file`, `/images/${id}/thumbnail`]) {
        expect((await server.problem(path)).code).toBe('image_not_found');
      }
    },
  );
});

/** Status of a conditional request; `fetch` would add headers that forbid a 304. */
async function statusWithTag(url: string, tag: string): Promise<number | undefined> {
  const [response] = (await once(get(url, { headers: { 'If-None-Match': tag } }), 'response')) as [
    IncomingMessage,
  ];
  response.resume();
  return response.statusCode;
}
