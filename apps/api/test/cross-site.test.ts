/** A service on a loopback address: what pages of other sites, other host names and odd paths get from it. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { totalImages } from './support/collection.js';
import { rgbPng } from './support/images.js';
import { linesOf } from './support/log-lines.js';
import { send, sendBytes } from './support/raw-request.js';
import { jsonRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describe('a service on a loopback address, without keys', () => {
  const PARTNER = 'https://partner.example';
  const server = useServer(useFolder(), { CORS_ORIGIN: `${PARTNER}/, http://localhost:5173` });
  let id: string;

  beforeAll(async () => {
    id = await upload(await rgbPng(1, 2, 3));
  });

  /** Adds an image and returns its id. */
  async function upload(bytes: Uint8Array<ArrayBuffer>, name = 'a.png'): Promise<string> {
    const form = new FormData();
    form.append('image', new Blob([bytes]), name);
    const { items } = await server.json<{ items: { id: string }[] }>('/images', {
      method: 'POST',
      body: form,
    });
    return items[0]!.id;
  }
  const total = () => totalImages(server);

  /** Every route that changes or computes something, with a body that it would take. */
  const WRITES: [method: string, path: string, type?: string, body?: string][] = [
    ['POST', '/classify', 'application/json', '{"inputs":"","parameters":{"candidate_labels":["a"]}}'],
    ['POST', '/classify', 'text/plain', '{"inputs":"","parameters":{"candidate_labels":["a"]}}'],
    ['POST', '/embed', 'application/json', '{"texts":["a"]}'],
    ['POST', '/search/image', 'multipart/form-data; boundary=x', '--x--\r\n'],
    ['POST', '/search/vector', 'application/x-www-form-urlencoded', 'vector=1'],
    ['POST', '/images', 'multipart/form-data; boundary=x', '--x--\r\n'],
    ['POST', '/imports', 'text/plain', '{"path":"."}'],
    ['DELETE', '/images/none'],
    ['POST', '/nowhere', 'text/plain', 'x'],
  ];

  it('refuses what a page of another site sends, whatever form it takes', async () => {
    const own = server.url;
    const foreign: Record<string, string>[] = [
      { Origin: 'http://evil.example' },
      { Origin: 'null' },
      { Origin: '' },
      { Origin: 'file://' },
      { Origin: own.replace('http:', 'https:') },
      { Origin: own.replace(/:\d+$/, ':1') },
      { Origin: own.replace('127.0.0.1', 'localhost') },
      { Origin: `${own}.evil.example` },
      { Origin: `${own}, ${own}` },
      { Origin: 'https://partner.example.evil.example' },
      { Origin: 'http://partner.example' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { Origin: own, 'Sec-Fetch-Site': 'cross-site' },
    ];
    const before = await total();
    for (const headers of foreign) {
      for (const [method, path, type = 'text/plain', body] of WRITES) {
        const { status, code } = await send(own, path, {
          method,
          headers: { 'Content-Type': type, ...headers },
          body,
        });
        expect([headers, method, path, status, code]).toEqual([
          headers,
          method,
          path,
          403,
          'cross_site_request',
        ]);
      }
    }
    expect(await total()).toBe(before);
  });

  it('takes the same from its own page, a listed one, and programs that are no browser', async () => {
    for (const headers of [
      {},
      { Origin: server.url, 'Sec-Fetch-Site': 'same-origin' },
      { 'Sec-Fetch-Site': 'none' },
      { Origin: PARTNER, 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'http://localhost:5173', 'Sec-Fetch-Site': 'same-site' },
    ]) {
      expect(
        (await server.fetch('/embed', jsonRequest({ texts: ['red'] }, headers as Record<string, string>)))
          .status,
      ).toBe(200);
    }
  });

  it('knows its own page by any of its loopback names', async () => {
    const port = new URL(server.url).port;
    for (const host of [`localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, 'localhost']) {
      const headers = {
        Host: host,
        Origin: `http://${host.toLowerCase()}`,
        'Content-Type': 'application/json',
      };
      expect(
        (await send(server.url, '/embed', { method: 'POST', headers, body: '{"texts":["red"]}' })).status,
      ).toBe(200);
    }
  });

  it('answers preflights with what is allowed, to listed pages alone', async () => {
    const ask = (origin: string) =>
      send(server.url, '/images', {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'DELETE',
          'Access-Control-Request-Headers': 'x-api-key',
        },
      });
    const allowed = await ask(PARTNER);
    expect(allowed.headers).toMatchObject({ 'access-control-allow-origin': PARTNER });
    expect(allowed.headers['access-control-allow-methods']).toContain('DELETE');
    expect(allowed.headers['access-control-allow-headers']).toMatch(/x-api-key/i);
    expect((await ask('http://evil.example')).headers['access-control-allow-origin']).toBeUndefined();
    expect((await ask('null')).headers['access-control-allow-origin']).toBeUndefined();
    const problem = await send(server.url, '/images/none', { headers: { Origin: PARTNER } });
    expect([problem.status, problem.headers['access-control-allow-origin']]).toEqual([404, PARTNER]);
  });

  it('knows no way to change the method of a request', async () => {
    for (const headers of [
      { 'X-HTTP-Method-Override': 'DELETE' },
      { 'X-HTTP-Method': 'DELETE' },
      { 'X-Method-Override': 'DELETE' },
    ]) {
      const options = { headers: { ...headers, Origin: 'http://evil.example' } };
      expect((await send(server.url, `/images/${id}`, options)).status).toBe(200);
      // No route has a query of that name.
      expect((await send(server.url, `/images/${id}?_method=DELETE`, options)).status).toBe(400);
      expect(
        (await send(server.url, `/images/${id}`, { ...options, method: 'POST', body: '_method=DELETE' }))
          .status,
      ).toBe(403);
    }
    expect((await server.fetch(`/images/${id}`)).status).toBe(200);
  });

  it('answers to loopback names alone', async () => {
    for (const path of ['/search?q=red', '/healthz', '/', '/docs', '/openapi.json', '/nowhere']) {
      for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1']) {
        const { status, code } = await send(server.url, path, { headers: { Host: host } });
        expect([path, host, status, code]).toEqual([path, host, 421, 'host_not_allowed']);
      }
      for (const host of ['local host', 'localhost@evil.example']) {
        const { status, code } = await send(server.url, path, { headers: { Host: host } });
        expect([path, host, status, code]).toEqual([path, host, 400, 'malformed_request']);
      }
    }
    const forwarded = { 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' };
    expect((await send(server.url, '/search?q=red', { headers: forwarded })).status).toBe(200);
    const hidden = { Host: 'evil.example', 'X-Forwarded-Host': 'localhost' };
    expect((await send(server.url, '/search?q=red', { headers: hidden })).status).toBe(421);
  });

  it.each([
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', '400'],
    ['no Host in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', '421'],
    [
      'two Hosts',
      'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
      '400',
    ],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n', '400'],
    [
      'a whole address of another host',
      'GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      '421',
    ],
    [
      'a whole address of its own',
      'GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      '200',
    ],
    [
      'a Host with a line break',
      'GET / HTTP/1.1\r\nHost: localhost\r\n evil\r\nConnection: close\r\n\r\n',
      '4',
    ],
  ])('a request with %s', async (_what, bytes, status) => {
    expect((await sendBytes(server.url, bytes)).slice('HTTP/1.1 '.length)).toMatch(new RegExp(`^${status}`));
    expect((await server.fetch('/healthz')).status).toBe(200);
  });

  it('gives no file but those of the page, however the path is written', async () => {
    for (const path of [
      '/..%2f..%2fpackage.json',
      '/%2e%2e/package.json',
      '/..%5c..%5cpackage.json',
      '/images/..%2f..%2flock/file',
      '/images/%2e%2e%2flock/thumbnail',
      '/docs/..%2f..%2fpackage.json',
      '/..%c0%af../package.json',
      '/%00',
      '//evil.example/%2e%2e',
    ]) {
      const { status, body } = await send(server.url, path);
      expect([path, status]).toEqual([
        path,
        expect.toSatisfy((value: number) => value === 400 || value === 403 || value === 404),
      ]);
      expect(body).not.toContain('"dependencies"');
    }
  });

  it('puts nothing of a file’s name into headers but its encoded form', async () => {
    const named = await upload(await rgbPng(9, 9, 9), 'a"\r\nSet-Cookie: x=1; b\u2028ü\'(*).png');
    const response = await server.fetch(`/images/${named}/file`);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(response.headers.get('content-disposition')).toMatch(/^inline; filename\*=UTF-8''[\w.%~!*'()-]+$/);
    await response.arrayBuffer();
  });

  it('gives each answer the id of its request, which the log has too', async () => {
    const response = await server.fetch('/search?q=my+secret+illness');
    await response.text();
    const requestId = response.headers.get('x-request-id')!;
    await vi.waitFor(() => {
      expect(linesOf(server).find((line) => line.requestId === requestId)).toMatchObject({
        path: '/search',
        status: 200,
        client: '127.0.0.1',
      });
    }, 10_000);
    expect(server.output()).not.toContain('illness');
  });
});
