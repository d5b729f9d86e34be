/**
 * Behind a proxy: who a request comes from when proxies are trusted by their addresses, what a client costs that was
 * refused, and the service below a path of its host.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startProxy } from './support/proxy.js';
import { colourPng } from './support/images.js';
import { freshDataFolder } from './support/data-folder.js';
import { send } from './support/raw-request.js';
import { TestServer } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 240_000 });

const LIMIT = 5;
const PAGE = 'https://page.example';
let folder: string;
let server: TestServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-api-'));
  server = await TestServer.start({
    CLIP_CHECKPOINT: await writeTinyCheckpoint(join(folder, 'checkpoint')),
    DATA_DIR: await freshDataFolder(join(folder, 'data')),
    TRUST_PROXY: 'loopback, 10.1.0.0/16, 2001:db8:1::/48',
    RATE_LIMIT: String(LIMIT),
    CORS_ORIGIN: PAGE,
    LOG_FORMAT: 'json',
    BASE_PATH: '/clip/',
    IMPORT_ROOT: folder,
  });
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await rm(folder, { recursive: true });
});

const ask = (forwarded: string, headers: Record<string, string> = {}, path = '/problems') =>
  send(server.url, path, { headers: { 'X-Forwarded-For': forwarded, ...headers } });

/** Client addresses in the log of the requests for a path. */
function logged(path: string): unknown[] {
  const lines = server.output().split('\n');
  const entries = lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as { path?: string; client?: string }];
    } catch {
      return [];
    }
  });
  return entries.filter((entry) => entry.path === path).map(({ client }) => client);
}

describe('a request through trusted proxies', () => {
  it.each([
    ['203.0.113.1', '203.0.113.1'],
    // A proxy of the subnet in between; what is left of the first stranger anybody could have written.
    ['203.0.113.2, 10.1.2.3', '203.0.113.2'],
    ['198.51.100.1, 203.0.113.3', '203.0.113.3'],
    ['127.0.0.1, 198.51.100.1, 203.0.113.4, 10.1.255.254', '203.0.113.4'],
    ['203.0.113.5, 10.1.0.1, 10.2.0.1', '10.2.0.1'],
    ['203.0.113.6, 2001:db8:1:ffff::1', '203.0.113.6'],
    ['203.0.113.7, 2001:db8:2::1', '2001:db8:2::1'],
    ['203.0.113.8, ::ffff:10.1.2.3', '203.0.113.8'],
  ])('%s comes from %s', async (forwarded, client) => {
    const path = `/seen-${client.replaceAll(/[.:]/g, '-')}`;
    await ask(forwarded, {}, path);
    await expect.poll(() => logged(path)).toEqual([client]);
  });

  it('is counted for the last stranger, whatever stands left of it', async () => {
    const statuses = [];
    for (let n = 0; n <= LIMIT; n++) {
      statuses.push((await ask(`192.0.2.${n}, 10.1.0.${n}, 198.51.100.77, 10.1.9.9`)).status);
    }
    expect(statuses).toEqual([...Array<number>(LIMIT).fill(200), 429]);
    expect((await ask('198.51.100.78')).status).toBe(200);
  });

  it('that was refused is refused again for a second at the least cost, and then judged anew', async () => {
    const client = '198.51.100.90';
    const headers = { Origin: PAGE };
    for (let n = 0; n < LIMIT; n++) expect((await ask(client, headers)).status).toBe(200);
    const [first, second, third] = [
      await ask(client, headers),
      await ask(client, headers),
      await ask(client, headers, '/nothing-else'),
    ];
    expect([first, second, third].map(({ status, code }) => [status, code])).toEqual(
      Array(3).fill([429, 'rate_limited']),
    );
    expect(JSON.parse(second.body)).toEqual(JSON.parse(first.body));
    expect(first.headers['x-request-id']).toBeDefined();
    expect(second.headers['x-request-id']).toBeUndefined();
    expect(second.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'retry-after': expect.stringMatching(/^[1-9]\d*$/) as string,
      'access-control-allow-origin': PAGE,
    });
    expect((await ask(client, {}, '/healthz')).status).toBe(200);
    await expect
      .poll(async () => (await ask(client)).headers['x-request-id'], { interval: 200 })
      .toBeDefined();
    expect(logged('/nothing-else')).toEqual([]);
  });
});

describe.each(['passes the path on', 'takes the prefix off'])(
  'below a path, behind a proxy that %s',
  (how) => {
    let proxy: Awaited<ReturnType<typeof startProxy>>;
    beforeAll(async () => {
      proxy = await startProxy(server.url, '/clip', { strips: how.startsWith('takes') });
    });
    afterAll(() => proxy.close());
    const get = (address: string) => fetch(new URL(address, proxy.url), { redirect: 'manual' });

    it('the page, Swagger UI and all that they load are found', async () => {
      for (const page of ['/clip/', '/clip/docs']) {
        const html = await (await get(page)).text();
        const links = [...html.matchAll(/(?:href|src)="([^"#:]+)"/g)].map(([, link]) => link!);
        expect(links.length).toBeGreaterThan(3);
        for (const link of links) {
          const { href } = new URL(link, new URL(page, proxy.url));
          expect([href, (await get(href)).status]).toEqual([href, 200]);
        }
      }
      expect(await (await get('/clip/docs/swagger-ui-init.js')).text()).toContain("'/clip/openapi.json'");
      const { servers } = (await (await get('/clip/openapi.json')).json()) as { servers: unknown };
      expect(servers).toEqual([{ url: '/clip' }]);
    });

    it('addresses in answers lead back through the proxy: images, jobs, problems', async () => {
      const body = new FormData();
      body.append('image', new Blob([await colourPng('red', how.length)]));
      const uploaded = await fetch(new URL('/clip/images', proxy.url), { method: 'POST', body });
      const { items } = (await uploaded.json()) as {
        items: { id: string; url: string; thumbnailUrl: string }[];
      };
      const { id, url, thumbnailUrl } = items[0]!;
      expect(url).toBe(`/clip/images/${id}/file`);
      for (const address of [url, thumbnailUrl]) expect((await get(address)).status).toBe(200);
      for (const list of ['/clip/images', '/clip/search?q=red', `/clip/images/${id}`]) {
        expect(await (await get(list)).text()).toContain(`"${url}"`);
      }
      const started = await fetch(new URL('/clip/imports', proxy.url), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ path: 'nowhere' }),
      });
      const refused = (await started.json()) as { type: string; instance: string };
      expect(refused).toMatchObject({ instance: '/clip/imports' });
      expect((await get(refused.type)).status).toBe(200);
    });

    it('health checks answer with the prefix and, from inside, without', async () => {
      expect((await get('/clip/healthz')).status).toBe(200);
      expect((await server.fetch('/healthz')).status).toBe(200);
    });
  },
);

describe('below a path', () => {
  it('the prefix itself leads to the page, and the address of a job carries it', async () => {
    const answer = await ask('192.0.2.200', {}, '/clip?q=red');
    expect([answer.status, answer.headers.location]).toEqual([308, '/clip/?q=red']);
    const job = await send(server.url, '/clip/imports', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': '192.0.2.200' },
      body: JSON.stringify({ path: 'checkpoint' }),
    });
    expect(job.headers.location).toMatch(/^\/clip\/imports\/[0-9a-f-]+$/);
    const events = await ask('192.0.2.200', {}, `${job.headers.location}/events`);
    expect(events.headers['content-type']).toContain('text/event-stream');
    expect(events.body).toContain('There are no images');
  });

  it('only a whole part of an address is the prefix', async () => {
    for (const path of ['/clipper/healthz', '/CLIP/healthz', '/clip/clip/healthz']) {
      expect([path, (await ask('192.0.2.201', {}, path)).status]).toEqual([path, 404]);
    }
  });
});
