/** Requests that are nearly right: each gets the answer that its author can act on, on every route alike. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { exchange, form, formPart } from '../hostile/wire.mjs';
import type { ProblemBody } from '../src/problems/catalogue.js';
import { freshDataFolder } from './support/data-folder.js';
import { colourPng } from './support/images.js';
import { TestServer, formRequest, jsonRequest } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 240_000 });

let folder: string;
let server: TestServer;
let image: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-api-'));
  server = await TestServer.start({
    CLIP_CHECKPOINT: await writeTinyCheckpoint(join(folder, 'checkpoint')),
    DATA_DIR: await freshDataFolder(join(folder, 'data')),
  });
  image = await colourPng('red');
  await server.json('/images', formRequest({ image, tags: 'a' }));
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await rm(folder, { recursive: true });
});

describe('the query of a request', () => {
  interface Page {
    items: unknown[];
    limit: number;
    offset: number;
  }
  const EMPTY = 'limit=&offset=&minScore=&tag=';

  it('counts empty parameters as absent', async () => {
    const pages = [
      await server.json<Page>(`/search?q=red&${EMPTY}`),
      await server.json<Page>('/search?q=red&tag=&tag=a&tag[]='),
      await server.json<Page>(`/search/image?${EMPTY}`, formRequest({ image })),
      await server.postJson<Page>(`/search/vector?${EMPTY}`, { vector: [1, 0, 0, 1] }),
      await server.json<Page>('/images?limit=&offset='),
    ];
    for (const page of pages) expect(page).toMatchObject({ items: [{}], limit: 20, offset: 0 });
    const { items } = await server.json<{ items: { id: string }[] }>('/images');
    expect((await server.fetch(`/images/${items[0]?.id}/file?original=`)).status).toBe(200);
    expect((await server.problem('/search?q=')).errors?.[0]?.field).toBe('q');
  });

  it('is refused on every route when it has a name that the route does not know', async () => {
    const document = await server.json<{ paths: Record<string, Record<string, { requestBody?: object }>> }>(
      '/openapi.json',
    );
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { requestBody }]) => ({ path, method, requestBody })),
    );
    expect(routes.length).toBeGreaterThan(15);
    for (const { path, method, requestBody } of routes) {
      const options = requestBody === undefined ? { method } : jsonRequest({});
      const problem = await server.problem(
        `${path.replaceAll(/\{\w+\}/g, 'x')}?lmit=1&__proto__=&lmit[x]=2`,
        { ...options, method: method.toUpperCase() },
      );
      expect([path, problem.status, problem.errors?.map(({ field }) => field)]).toEqual([
        path,
        400,
        ['lmit', '__proto__', 'lmit[x]'],
      ]);
    }
    expect((await server.fetch('/docs?x=1')).status).toBe(200);
  });
});

describe('a part of a form', () => {
  const IMAGE = '; filename="a.png"\r\nContent-Type: image/png';
  const label = (extra: string) => formPart('labels', 'red', extra);
  const raw = (head: string, value: string | Uint8Array = 'red') =>
    Buffer.concat([Buffer.from(`--b\r\n${head}\r\n\r\n`, 'latin1'), Buffer.from(value), Buffer.from('\r\n')]);

  async function answer(parts: Buffer[]): Promise<{ status?: number; problem: ProblemBody }> {
    const { status, text } = await exchange(server.url, form('/classify', parts));
    return { status, problem: JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as ProblemBody };
  }

  it.each([
    ['a character set that nobody knows', 400, label('\r\nContent-Type: text/plain; charset=utf-99')],
    ['another transfer encoding', 415, label('\r\nContent-Transfer-Encoding: base64')],
    ['no disposition', 400, raw('Content-Type: text/plain')],
    ['another disposition', 400, raw('Content-Disposition: attachment; name="labels"')],
    [
      'a name in a character set that nobody knows',
      400,
      raw("Content-Disposition: form-data; name*=utf-99''labels"),
    ],
    [
      'a file name with a broken escape',
      400,
      raw('Content-Disposition: form-data; name="labels"; filename*=UTF-8\'\'%E0%A4%A'),
    ],
    ['a header without a colon', 400, raw('Content-Disposition: form-data; name="labels"\r\nnothing')],
  ])('with %s is refused with %i, and is never passed over', async (_what, status, part) => {
    const { status: found, problem } = await answer([formPart('image', image, IMAGE), label(''), part]);
    expect([found, problem.status]).toEqual([status, status]);
    expect(problem.detail).not.toMatch(/Buffer|argument|undefined|instance of/);
  });

  it('is read in a character set that is known', async () => {
    const umlaut = raw(
      'Content-Disposition: form-data; name="labels"\r\nContent-Type: text/plain; charset=iso-8859-1',
      Buffer.from([0xfc]),
    );
    const { text } = await exchange(
      server.url,
      form('/classify', [formPart('image', image, IMAGE), label(''), umlaut]),
    );
    expect(Buffer.from(text, 'latin1').toString('utf8')).toContain('"label":"ü"');
  });
});
