/** What a search can ask for: several texts, what not to show, and everything that narrows it. */
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { idsByCursor } from './support/collection.js';
import { colourPng } from './support/images.js';
import { formRequest } from './support/server.js';
import { COLOURS } from './support/tiny-checkpoint.js';
import { useFolder, useServer } from './support/use-server.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 240_000 });

interface Found {
  items: { id: string; score: number; caption: string; createdAt: string }[];
  total?: number;
}

const folder = useFolder();
const server = useServer(folder);
const ids: Record<string, string> = {};

/** Each colour once, tagged `bright` where two channels or more are on, and `odd` every second one. */
beforeAll(async () => {
  for (const [n, [name, channels]] of Object.entries(COLOURS).entries()) {
    const on = channels.filter((channel) => channel > 0).length;
    const tags = [...(on >= 2 ? ['bright'] : []), ...(n % 2 === 1 ? ['odd'] : []), 'all'];
    const { items } = await server.json<Found>(
      '/images',
      formRequest({ image: await colourPng(name), captions: name, tags }),
    );
    ids[name] = items[0]!.id;
  }
});

const search = (query: string) => server.json<Found>(`/search?${query}`);
const captions = async (query: string) => (await search(query)).items.map(({ caption }) => caption);

describe('a search with several texts', () => {
  it('finds what shows all of them, the heavier first', async () => {
    const both = new Set((await captions('q=red&q=green')).slice(0, 4));
    expect(both).toEqual(new Set(['red', 'green', 'yellow', 'black']));
    expect((await captions('q=red&q=blue&weight=9&weight=1'))[0]).toBe('red');
    expect((await captions('q=red&q=blue&weight=1&weight=9'))[0]).toBe('blue');
  });

  it('pushes back what should not show, and leaves nothing out', async () => {
    const plain = await captions('q=yellow');
    const without = await search('q=yellow&not=red');
    expect(without.total).toBe(8);
    const order = without.items.map(({ caption }) => caption);
    expect(order.indexOf('green')).toBeLessThan(order.indexOf('red'));
    expect(Math.abs(plain.indexOf('green') - plain.indexOf('red'))).toBe(1);
    for (const { score } of without.items) expect(Math.abs(score)).toBeLessThanOrEqual(1);
  });

  it.each([
    ['q=red&q=blue&weight=1', 'weight'],
    ['q=red&weight=0', 'weight.0'],
    ['q=red&weight=x', 'weight.0'],
    ['not=red', 'q'],
    [`q=${'red&q='.repeat(10)}red`, 'q'],
    [`q=red&not=${'x'.repeat(1001)}`, 'not.0'],
    ['q=red&from=yesterday', 'from'],
    ['q=red&to=2026-13-01', 'to'],
    [`q=red&${'notTag=x&'.repeat(21)}`, 'notTag'],
  ])('refuses %.40s, and says where it is wrong', async (query, field) => {
    const problem = await server.problem(`/search?${query}`);
    expect([problem.status, problem.code]).toEqual([400, 'invalid_request']);
    expect(problem.errors?.[0]?.field).toBe(field);
  });
});

describe('what narrows a search', () => {
  it('leaves tags out, under each of the names', async () => {
    const expected = ['red', 'blue', 'green', 'black'];
    for (const name of ['-tag', 'notTag', '-tag[]', 'notTag[]']) {
      expect(new Set(await captions(`q=red&${name}=bright`))).toEqual(new Set(expected));
    }
    expect(new Set(await captions('q=red&tag[]=all&tag[]=odd&-tag=bright'))).toEqual(
      new Set(['green', 'black']),
    );
    expect(await search('q=red&tag=all&-tag=all')).toMatchObject({ items: [], total: 0 });
  });

  it('keeps to a time, whose days begin and end in UTC', async () => {
    const { items } = await search('q=red');
    const times = items.map(({ createdAt }) => createdAt).toSorted();
    const [first, last] = [times[0]!, times.at(-1)!];
    expect((await search(`q=red&from=${first.slice(0, 10)}&to=${last.slice(0, 10)}`)).total).toBe(8);
    expect((await search(`q=red&from=${first}&to=${first}`)).total).toBe(1);
    expect((await search(`q=red&to=2020-01-01`)).total).toBe(0);
    const inBerlin = encodeURIComponent(`${last.slice(0, 11)}23:59:59+02:00`);
    expect((await server.fetch(`/search?q=red&to=${inBerlin}`)).status).toBe(200);
  });

  it('reads page by page what one page gives, with everything at once', async () => {
    const query =
      'q=red&q=white&weight=2&weight=1&not=blue&tag=all&-tag=missing&from=2020-01-01&minScore=-0.9';
    const all = await search(query);
    expect(all.items.length).toBeGreaterThan(4);
    const pages: Found[] = [];
    for (let offset = 0; offset < 10; offset += 3)
      pages.push(await search(`${query}&limit=3&offset=${offset}`));
    expect(pages.flatMap(({ items }) => items)).toEqual(all.items);
  });
});

describe('images like one of the collection', () => {
  it('are the nearest, without itself, and can be narrowed', async () => {
    const similar = await server.json<Found>(`/images/${ids.red}/similar`);
    expect(similar.total).toBe(7);
    expect(similar.items.map(({ caption }) => caption)).not.toContain('red');
    expect(similar.items[0]!.score).toBeGreaterThanOrEqual(similar.items[1]!.score);
    expect(similar.items.at(-1)!.caption).toBe('cyan');
    const narrowed = await server.json<Found>(`/images/${ids.red}/similar?-tag=bright&limit=2`);
    expect(narrowed).toMatchObject({ total: 3, limit: 2 });
  });

  it('are not there for an image that is not', async () => {
    for (const id of ['0'.repeat(64), 'x']) {
      expect(await server.problem(`/images/${id}/similar`)).toMatchObject({ code: 'image_not_found' });
    }
  });
});

describe('a search that is read on by cursor', () => {
  it('gives every image once, whatever is added and deleted meanwhile', async () => {
    const all = (await search('q=cyan')).items.map(({ id }) => id);
    // One comes before what was read, the other after it.
    const image = await Promise.all([colourPng('cyan', 3), colourPng('red', 5)]);
    let added: string[] = [];
    const read = await idsByCursor(server, '/search?q=cyan&limit=3', async (page) => {
      if (page > 1) return;
      const { items } = await server.json<Found>('/images', formRequest({ image }));
      added = items.map(({ id }) => id);
      expect((await search('q=cyan')).total).toBe(all.length + 2);
    });
    expect(read).toEqual(all);
    // An image of a page that was read goes: with an offset the next one would be left out.
    const kept = await idsByCursor(server, '/search?q=cyan&limit=3', async (page) => {
      if (page > 1) return;
      for (const id of added) await server.fetch(`/images/${id}`, { method: 'DELETE' });
    });
    expect(kept.filter((id) => !added.includes(id))).toEqual(all);
    const similarIds = await idsByCursor(server, `/images/${ids.red}/similar?limit=2`);
    expect(similarIds.toSorted()).toEqual(all.filter((id) => id !== ids.red).toSorted());
  });

  it('keeps to what narrows it, and ends at a lowest score', async () => {
    const expected = await captions('q=red&tag=bright&minScore=0');
    const read = await idsByCursor(server, '/search?q=red&tag=bright&minScore=0&limit=1');
    expect(read).toEqual(expected.map((name) => ids[name]));
  });

  it.each(['x', '0', 'a'.repeat(70), 'AQ==', '%00'])('refuses %s, which is no cursor', async (cursor) => {
    expect(await server.problem(`/search?q=red&cursor=${cursor}`)).toMatchObject({
      code: 'invalid_request',
      errors: [{ field: 'cursor' }],
    });
  });

  it('refuses the cursor of another model', async () => {
    const { nextCursor } = await server.json<{ nextCursor: string }>('/search?q=red&limit=1');
    const other = Buffer.from(nextCursor, 'base64url');
    other.writeUInt8(other.readUInt8(1) ^ 1, 1);
    const problem = await server.problem(`/search?q=red&cursor=${other.toString('base64url')}`);
    expect(problem).toMatchObject({ code: 'invalid_request' });
    expect(problem.detail).toContain('another model answers');
  });
});

describe('when images were taken', () => {
  const added: string[] = [];
  const photo = async (colour: string, date?: string, offset?: string) => {
    const exif = {
      IFD2: { ...(date && { DateTimeOriginal: date }), ...(offset && { OffsetTimeOriginal: offset }) },
    };
    const jpeg = await sharp(await colourPng(colour, 9))
      .withExif(exif)
      .jpeg()
      .toBuffer();
    const form = formRequest({ image: new Uint8Array(jpeg), captions: colour, tags: 'photo' });
    added.push((await server.json<Found>('/images', form)).items[0]!.id);
  };
  const listed = async (query: string) =>
    (await server.json<Found>(`/images?tag=photo&${query}`)).items.map(({ caption }) => caption);

  beforeAll(async () => {
    await photo('red', '2024:06:12 23:30:00', '+02:00');
    await photo('green', '1968:01:01 00:00:00');
    await photo('blue');
    await photo('white', '2025:01:01 00:00:00', '-11:00');
    await photo('black', '2024:06:12 23:30:00');
  });
  afterAll(async () => {
    for (const id of added) await server.fetch(`/images/${id}`, { method: 'DELETE' });
  });

  it('is said by the clock of the place, with its offset where the camera says that', async () => {
    const { items } = await server.json<{ items: { takenAt: string | null }[] }>(
      '/images?tag=photo&order=oldest',
    );
    expect(items.map(({ takenAt }) => takenAt)).toEqual([
      '2024-06-12T23:30:00+02:00',
      '1968-01-01T00:00:00',
      null,
      '2025-01-01T00:00:00-11:00',
      '2024-06-12T23:30:00',
    ]);
  });

  it('orders a list, those without a date last, page by page as in one', async () => {
    const newest = ['white', 'black', 'red', 'green', 'blue'];
    const oldest = ['green', 'red', 'black', 'white', 'blue'];
    expect(await listed('order=takenNewest')).toEqual(newest);
    expect(await listed('order=takenOldest')).toEqual(oldest);
    for (const order of ['takenNewest', 'takenOldest']) {
      const { items } = await server.json<Found>(`/images?tag=photo&order=${order}`);
      const read = await idsByCursor(server, `/images?tag=photo&order=${order}&limit=1`);
      expect(read).toEqual(items.map(({ id }) => id));
    }
    const foreign = await server.problem('/images?order=takenNewest&cursor=5');
    expect(foreign.errors?.[0]?.field).toBe('cursor');
  });

  it('narrows lists and searches by days of the place', async () => {
    const day = 'takenFrom=2024-06-12&takenTo=2024-06-12';
    expect(await listed(day)).toEqual(['black', 'red']);
    expect(new Set(await captions(`q=red&tag=photo&${day}`))).toEqual(new Set(['red', 'black']));
    expect(await captions('q=red&tag=photo&takenTo=1970-01-01T00:00:00')).toEqual(['green']);
    expect((await captions('q=red&tag=photo&takenFrom=1826-01-01')).length).toBe(4);
    for (const time of ['2024-06-12T00:00:00Z', 'June']) {
      const problem = await server.problem(`/search?q=red&takenFrom=${time}`);
      expect(problem.errors?.[0]?.field).toBe('takenFrom');
    }
  });
});
