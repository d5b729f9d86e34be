/** A service behind a proxy, with keys: who gets in, under which name, and what the log says of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { fromNewAddress, makeKey, reloadKeys } from './support/access-keys.js';
import { rgbPng } from './support/images.js';
import { auditOf, linesOf } from './support/log-lines.js';
import { send, sendBytes } from './support/raw-request.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const HOST = { Host: 'clip.example' };
const OLD_KEY = 'the old key that may do all';

describe('a service behind a proxy, with keys', () => {
  const folder = useFolder();
  const keysFile = join(folder, 'keys.json');
  const keys: Record<'read' | 'write' | 'admin', string> = { read: '', write: '', admin: '' };
  let entries: object[];

  beforeAll(async () => {
    const [reader, writer, admin] = await Promise.all([
      makeKey('reader', 'read'),
      makeKey('writer', 'write'),
      makeKey('admin', 'admin'),
    ]);
    Object.assign(keys, { read: reader.key, write: writer.key, admin: admin.key });
    entries = [reader.entry, writer.entry, admin.entry];
    await writeFile(keysFile, JSON.stringify(entries));
  });
  const settings = {
    HOST: '0.0.0.0',
    ALLOWED_HOSTS: 'clip.example',
    TRUST_PROXY: '1',
    API_KEYS_FILE: keysFile,
    API_KEY: OLD_KEY,
    API_KEY_SCOPE: 'all',
  };
  // Signals reach it.
  const server = useServer(folder, settings, {});

  const as = (scope: keyof typeof keys) => ({ ...HOST, Authorization: `Bearer ${keys[scope]}` });

  it('answers to its public name, and to health checks under any', async () => {
    for (const headers of [{}, { Host: 'evil.example' }]) {
      expect((await send(server.url, '/healthz', { headers })).status).toBe(200);
      expect((await send(server.url, '/readyz', { headers })).status).toBe(200);
      expect((await send(server.url, '/', { headers })).code).toBe('host_not_allowed');
    }
    expect((await send(server.url, '/', { headers: HOST })).status).toBe(200);
    expect((await send(server.url, '/', { headers: { 'X-Forwarded-Host': 'clip.example' } })).status).toBe(
      200,
    );
    expect(
      (await send(server.url, '/', { headers: { ...HOST, 'X-Forwarded-Host': 'evil.example' } })).status,
    ).toBe(421);
  });

  it('knows its own page by the scheme that the proxy speaks', async () => {
    const ask = (origin: string, proto: string) =>
      send(server.url, '/embed', {
        method: 'POST',
        headers: {
          ...as('read'),
          'Content-Type': 'application/json',
          Origin: origin,
          'X-Forwarded-Proto': proto,
        },
        body: '{"texts":["red"]}',
      });
    expect((await ask('https://clip.example', 'https')).status).toBe(200);
    expect((await ask('https://clip.example', 'http')).code).toBe('cross_site_request');
    expect((await ask('http://clip.example', 'https')).code).toBe('cross_site_request');
  });

  it('asks for a key, and lets each key do what its scope says', async () => {
    const path = '/images/none';
    const address = fromNewAddress();
    const statuses = async (method: string, path: string, headers: Record<string, string>) => {
      const { status, code } = await send(server.url, path, { method, headers: { ...headers, ...address } });
      return [status, code];
    };
    expect(await statuses('GET', '/search?q=red', HOST)).toEqual([401, 'unauthorized']);
    expect(await statuses('GET', '/search?q=red', as('read'))).toEqual([200, undefined]);
    expect(await statuses('GET', '/search?q=red', { ...HOST, 'X-API-Key': OLD_KEY })).toEqual([
      200,
      undefined,
    ]);
    expect(await statuses('DELETE', path, HOST)).toEqual([401, 'unauthorized']);
    expect(await statuses('DELETE', path, as('read'))).toEqual([403, 'insufficient_scope']);
    expect(await statuses('DELETE', path, as('write'))).toEqual([404, 'image_not_found']);
    expect(await statuses('DELETE', path, as('admin'))).toEqual([404, 'image_not_found']);
    expect(await statuses('DELETE', path, { ...HOST, 'X-API-Key': OLD_KEY })).toEqual([
      404,
      'image_not_found',
    ]);
    expect(await statuses('GET', '/demo/model', as('write'))).toEqual([403, 'insufficient_scope']);
    expect(await statuses('GET', '/demo/model', as('admin'))).toEqual([200, undefined]);
    expect(await statuses('POST', '/imports', as('write'))).toEqual([403, 'insufficient_scope']);
    expect(await statuses('POST', '/imports', as('admin'))).toEqual([415, 'unsupported_media_type']);
    const refused = await send(server.url, path, {
      method: 'DELETE',
      headers: { ...as('read'), ...address },
    });
    expect(refused.headers['www-authenticate']).toContain('insufficient_scope');
  });

  it('lets no key below the scope of a route use it, on any route', async () => {
    type Operation = { 'x-required-scope': 'open' | keyof typeof keys };
    const asked = await send(server.url, '/openapi.json', { headers: as('admin') });
    const { paths } = JSON.parse(asked.body) as { paths: Record<string, Record<string, Operation>> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { 'x-required-scope': need }]) => ({
        route: `${method.toUpperCase()} ${path}`,
        need,
      })),
    );
    const needing = (need: string) => routes.filter((one) => one.need === need).map(({ route }) => route);
    expect(needing('open').sort()).toEqual(['GET /healthz', 'GET /readyz']);
    expect(needing('admin').sort()).toEqual([
      'DELETE /models/{hash}',
      'POST /imports',
      'POST /imports/{id}/cancel',
      'POST /imports/{id}/pause',
      'POST /imports/{id}/resume',
      'POST /imports/{id}/retry',
      'POST /models/{hash}/activate',
    ]);
    const changing = routes.filter(({ route }) =>
      /^(?:PATCH|PUT|DELETE) |^POST \/(?:images|collections|label-sets)/.test(route),
    );
    expect(changing.filter(({ need }) => need === 'read')).toEqual([]);
    const below = { open: [], read: [], write: ['read'], admin: ['read', 'write'] } as const;
    for (const { route, need } of routes) {
      if (need === 'open') continue;
      const [method, path] = route.replace(/\{\w+\}/, 'none').split(' ') as [string, string];
      const address = fromNewAddress();
      const codeFor = async (headers: Record<string, string>) =>
        (await send(server.url, path, { method, headers: { ...headers, ...address } })).code;
      expect([route, await codeFor(HOST)]).toEqual([route, 'unauthorized']);
      for (const scope of below[need]) {
        expect([route, scope, await codeFor(as(scope))]).toEqual([route, scope, 'insufficient_scope']);
      }
    }
  });

  it.each([
    ['in lower case', () => ({ Authorization: `bearer ${keys.read}` }), 200],
    ['in upper case with spaces', () => ({ Authorization: `BEARER    ${keys.read}  ` }), 200],
    ['in X-API-Key', () => ({ 'X-API-Key': keys.read }), 200],
    ['in both headers', () => ({ Authorization: `Bearer ${keys.read}`, 'X-API-Key': keys.read }), 200],
    ['beside another', () => ({ Authorization: `Bearer ${keys.read}`, 'X-API-Key': keys.admin }), 401],
    ['twice in one header', () => ({ 'X-API-Key': [keys.read, keys.read] as unknown as string }), 200],
    ['two in one header', () => ({ 'X-API-Key': [keys.read, 'x'] as unknown as string }), 401],
    [
      'two Authorization headers',
      () => ({ Authorization: ['Basic eDp5', `Bearer ${keys.read}`] as unknown as string }),
      401,
    ],
    ['with the wrong scheme', () => ({ Authorization: `Basic ${keys.read}` }), 401],
    ['without a scheme', () => ({ Authorization: keys.read }), 401],
    ['with nothing after the scheme', () => ({ Authorization: 'Bearer' }), 401],
    ['that is its hash', () => ({ Authorization: `Bearer ${'0'.repeat(64)}` }), 401],
    ['of 7,000 characters', () => ({ 'X-API-Key': 'x'.repeat(7000) }), 401],
    ['with bytes beyond ASCII', () => ({ 'X-API-Key': 'schl\u00fcssel\u00ff' }), 401],
  ])('a key %s', async (_how, headers, status) => {
    const answer = await send(server.url, '/images', {
      headers: { ...HOST, ...fromNewAddress(), ...headers() },
    });
    expect([answer.status, answer.body.length > 0]).toEqual([status, true]);
  });

  it('never takes a key from the address or a cookie', async () => {
    const address = fromNewAddress();
    for (const path of [
      `/images?key=${keys.admin}`,
      `/images?api_key=${keys.admin}`,
      `/images?access_token=${keys.admin}`,
      `/images?X-API-Key=${keys.admin}`,
    ])
      expect((await send(server.url, path, { headers: { ...HOST, ...address } })).status).toBe(401);
    expect(
      (
        await send(server.url, '/images', {
          headers: { ...HOST, ...address, Cookie: `X-API-Key=${keys.admin}` },
        })
      ).status,
    ).toBe(401);
  });

  it('keeps the keys when the changed file cannot be used, and drops one that was taken out', async () => {
    const passing = await makeKey('passing', 'read');
    const status = async () =>
      (
        await send(server.url, '/problems', {
          headers: { ...HOST, ...fromNewAddress(), 'X-API-Key': passing.key },
        })
      ).status;
    expect(await status()).toBe(401);
    await reloadKeys(server, keysFile, JSON.stringify([...entries, passing.entry]));
    expect(await status()).toBe(200);
    expect(await reloadKeys(server, keysFile, '[{')).toContain('The keys stay as they were');
    expect(await status()).toBe(200);
    expect(await reloadKeys(server, keysFile, JSON.stringify(entries))).toContain(
      'the key file was read again',
    );
    expect(await status()).toBe(401);
  });

  it('logs who changed what, and never a key', async () => {
    // Of two addresses the proxy vouches for the last alone.
    const address = '192.0.2.200';
    const headers = { ...as('write'), 'X-Forwarded-For': `198.51.100.7, ${address}` };
    const image = Buffer.from(await rgbPng(7, 7, 7)).toString('latin1');
    const part = (bytes: string) =>
      `--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n${bytes}\r\n--x--\r\n`;
    const post = (bytes: string) =>
      sendBytes(
        server.url,
        `POST /images HTTP/1.1\r\n${Object.entries(headers)
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join(
            '',
          )}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: ${part(bytes).length}\r\nConnection: close\r\n\r\n${part(bytes)}`,
      );
    const answer = await post(image);
    expect(answer).toMatch(/^HTTP\/1.1 201/);
    const id = /"id":"([0-9a-f]{64})"/.exec(answer)![1]!;
    expect(await post('no image')).toMatch(/^HTTP\/1.1 422/);
    await send(server.url, `/images/${id}`, {
      method: 'DELETE',
      headers: { ...HOST, 'X-Forwarded-For': address, 'X-API-Key': 'no such key at all' },
    });
    await send(server.url, `/images/${id}`, { method: 'DELETE', headers });
    for (const key of [OLD_KEY, keys.read, keys.admin]) {
      await send(server.url, '/problems', {
        headers: { ...HOST, 'X-Forwarded-For': address, 'X-API-Key': key },
      });
    }
    await vi.waitFor(() => {
      expect(auditOf(server).filter((line) => line.address === address)).toMatchObject([
        {
          action: 'POST /images',
          keyName: 'writer',
          outcome: 'done',
          status: 201,
          ids: [id],
        },
        {
          action: 'POST /images',
          keyName: 'writer',
          outcome: 'refused',
          status: 422,
          code: 'undecodable_image',
          ids: [],
        },
        {
          action: 'DELETE /images/:id',
          keyName: null,
          outcome: 'refused',
          status: 401,
          code: 'unauthorized',
          ids: [id],
        },
        { action: 'DELETE /images/:id', keyName: 'writer', outcome: 'done', status: 204, ids: [id] },
      ]);
    }, 10_000);
    expect(
      linesOf(server).filter(({ audit, requestId }) => audit !== undefined && requestId === undefined),
    ).toEqual([]);
    for (const secret of [...Object.values(keys), OLD_KEY, 'no such key'])
      expect(server.output()).not.toContain(secret);
  });

  it('shows in its description what each route needs', async () => {
    type Operation = { security: object[]; 'x-required-scope': string; responses: Record<string, unknown> };
    const { body } = await send(server.url, '/openapi.json', { headers: { ...HOST, ...fromNewAddress() } });
    const { paths } = JSON.parse(body) as { paths: Record<string, Record<string, Operation>> };
    const need = (path: string, method: string) => [
      paths[path]![method]!['x-required-scope'],
      paths[path]![method]!.security,
    ];
    const key = [{ apiKey: [] }, { bearer: [] }];
    expect(need('/healthz', 'get')).toEqual(['open', []]);
    expect(need('/search', 'get')).toEqual(['read', key]);
    expect(need('/images', 'post')).toEqual(['write', key]);
    expect(need('/imports', 'post')).toEqual(['admin', key]);
    expect(paths['/images']!.post!.responses).toHaveProperty('403');
  });
});
