/** Who gets in, and under which name: cross-site requests, hosts, keys, scopes, limits, the audit trail. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freshDataFolder } from './support/data-folder.js';
import { rgbPng } from './support/images.js';
import { send, sendBytes } from './support/raw-request.js';
import { TestServer, formRequest, jsonRequest, runToEnd } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let folder: string;
let checkpoint: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-access-'));
  checkpoint = await writeTinyCheckpoint(join(folder, 'model'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Line {
  context?: string;
  msg: string;
  requestId?: string;
  path?: string;
  status?: number;
  client?: string;
  audit?: {
    action: string;
    keyName: string | null;
    address: string;
    outcome: string;
    status: number;
    code?: string;
    ids: string[];
  };
}

/** The lines of the log that are JSON. */
const linesOf = (server: TestServer): Line[] =>
  server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

const auditOf = (server: TestServer) =>
  linesOf(server).flatMap(({ audit }) => (audit === undefined ? [] : [audit]));

describe('a service on a loopback address, without keys', () => {
  const PARTNER = 'https://partner.example';
  let server: TestServer;
  let id: string;

  beforeAll(async () => {
    server = await TestServer.start({
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'open')),
      CORS_ORIGIN: `${PARTNER}/, http://localhost:5173`,
    });
    const { items } = await server.json<{ items: { id: string }[] }>(
      '/images',
      formRequest({ image: await rgbPng(1, 2, 3) }),
    );
    id = items[0]!.id;
  });
  afterAll(() => server.stop());

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
    expect((await server.json<{ total: number }>('/images')).total).toBe(1);
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
      expect((await send(server.url, `/images/${id}?_method=DELETE`, options)).status).toBe(200);
      expect(
        (await send(server.url, `/images/${id}`, { ...options, method: 'POST', body: '_method=DELETE' }))
          .status,
      ).toBe(403);
    }
    expect((await server.fetch(`/images/${id}`)).status).toBe(200);
  });

  it('answers to loopback names alone', async () => {
    for (const path of ['/search?q=red', '/healthz', '/', '/docs', '/openapi.json', '/nowhere']) {
      for (const host of [
        'evil.example',
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        '10.0.0.1',
        'local host',
        'localhost@evil.example',
      ]) {
        const { status, code } = await send(server.url, path, { headers: { Host: host } });
        expect([path, host, status, code]).toEqual([path, host, 421, 'host_not_allowed']);
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
      '421',
    ],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n', '421'],
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
    const form = new FormData();
    form.append('image', new Blob([await rgbPng(9, 9, 9)]), 'a"\r\nSet-Cookie: x=1; b\u2028ü\'(*).png');
    const { items } = await server.json<{ items: { id: string }[] }>('/images', {
      method: 'POST',
      body: form,
    });
    const response = await server.fetch(`/images/${items[0]!.id}/file`);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(response.headers.get('content-disposition')).toMatch(/^inline; filename\*=UTF-8''[\w.%~!*'()-]+$/);
    await response.arrayBuffer();
  });

  it('gives each answer the id of its request, which the log has too', async () => {
    const response = await server.fetch('/search?q=my+secret+illness');
    await response.text();
    const requestId = response.headers.get('x-request-id')!;
    await delay(50);
    expect(linesOf(server).find((line) => line.requestId === requestId)).toMatchObject({
      path: '/search',
      status: 200,
      client: '127.0.0.1',
    });
    expect(server.output()).not.toContain('illness');
  });
});

describe('a service behind a proxy, with keys', () => {
  const HOST = { Host: 'clip.example' };
  const keys: Record<'read' | 'write' | 'admin', string> = { read: '', write: '', admin: '' };
  let keysFile: string;
  let server: TestServer;

  const makeKey = async (name: string, scope: string) => {
    const program = fileURLToPath(new URL('../dist/access/create-key.js', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [
      program,
      '--name',
      name,
      '--scope',
      scope,
    ]);
    return {
      key: /clip_\S+/.exec(stdout)![0],
      entry: JSON.parse(stdout.slice(stdout.indexOf('{'), stdout.lastIndexOf('}') + 1)) as object,
    };
  };
  const as = (scope: keyof typeof keys) => ({ ...HOST, Authorization: `Bearer ${keys[scope]}` });

  beforeAll(async () => {
    keysFile = join(folder, 'keys.json');
    const made = await Promise.all(
      (['read', 'write', 'admin'] as const).map((scope) => makeKey(`the-${scope}er`, scope)),
    );
    keys.read = made[0]!.key;
    keys.write = made[1]!.key;
    keys.admin = made[2]!.key;
    await writeFile(keysFile, JSON.stringify(made.map(({ entry }) => entry)));
    server = await TestServer.start({
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'keys')),
      HOST: '0.0.0.0',
      ALLOWED_HOSTS: 'clip.example',
      TRUST_PROXY: '1',
      API_KEYS_FILE: keysFile,
      API_KEY: 'the old key that may do all',
      API_KEY_SCOPE: 'all',
      RATE_LIMIT: '40',
    });
  });
  afterAll(() => server.stop());

  let sender = 0;
  /** A new client address for each test, so that the limits of one do not meet the other. */
  const from = () => ({ 'X-Forwarded-For': `203.0.113.${++sender}` });

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
    const address = from();
    const statuses = async (method: string, path: string, headers: Record<string, string>) => {
      const { status, code } = await send(server.url, path, { method, headers: { ...headers, ...address } });
      return [status, code];
    };
    expect(await statuses('GET', '/search?q=red', HOST)).toEqual([401, 'unauthorized']);
    expect(await statuses('GET', '/search?q=red', as('read'))).toEqual([200, undefined]);
    expect(await statuses('DELETE', path, HOST)).toEqual([401, 'unauthorized']);
    expect(await statuses('DELETE', path, as('read'))).toEqual([403, 'insufficient_scope']);
    expect(await statuses('DELETE', path, as('write'))).toEqual([404, 'image_not_found']);
    expect(await statuses('DELETE', path, as('admin'))).toEqual([404, 'image_not_found']);
    expect(await statuses('DELETE', path, { ...HOST, 'X-API-Key': 'the old key that may do all' })).toEqual([
      404,
      'image_not_found',
    ]);
    expect(await statuses('POST', '/imports', as('write'))).toEqual([403, 'insufficient_scope']);
    expect(await statuses('POST', '/imports', as('admin'))).toEqual([415, 'unsupported_media_type']);
    const refused = await send(server.url, path, {
      method: 'DELETE',
      headers: { ...as('read'), ...address },
    });
    expect(refused.headers['www-authenticate']).toContain('insufficient_scope');
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
    const answer = await send(server.url, '/images', { headers: { ...HOST, ...from(), ...headers() } });
    expect([answer.status, answer.body.length > 0]).toEqual([status, true]);
  });

  it('never takes a key from the address or a cookie', async () => {
    const address = from();
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

  it('limits each key and each address apart, and says when to come back', async () => {
    const burst = async (headers: Record<string, string>) => {
      const answers = [];
      for (let index = 0; index < 45; index++)
        answers.push(await send(server.url, '/problems', { headers: { ...HOST, ...headers } }));
      return answers;
    };
    const added = await makeKey('limited', 'read');
    const entries = JSON.parse(await readFile(keysFile, 'utf8')) as object[];
    await writeFile(keysFile, JSON.stringify([...entries, added.entry]));
    server.signal('SIGHUP');
    await vi.waitFor(() => {
      expect(server.output()).toContain('the key file was read again');
    });
    const answers = await burst({ 'X-API-Key': added.key, 'X-Forwarded-For': '198.51.100.1' });
    const passed = answers.filter(({ status }) => status === 200).length;
    expect(passed).toBeGreaterThanOrEqual(40);
    expect(passed).toBeLessThan(45);
    expect(answers[0]!.headers['ratelimit-policy']).toBe('"requests";q=40;w=60');
    expect(answers[0]!.headers.ratelimit).toMatch(/^"requests";r=39;t=\d+$/);
    const limited = answers.find(({ status }) => status === 429)!;
    expect([limited.code, Number(limited.headers['retry-after'])]).toEqual([
      'rate_limited',
      expect.toSatisfy((s: number) => s >= 1 && s <= 2),
    ]);
    // The same key from elsewhere is still limited; another client at the same address is not.
    expect(
      (await send(server.url, '/problems', { headers: { ...HOST, 'X-API-Key': added.key, ...from() } }))
        .status,
    ).toBe(429);
    expect(
      (await send(server.url, '/', { headers: { ...HOST, 'X-Forwarded-For': '198.51.100.1' } })).status,
    ).toBe(200);
    const anonymous = [];
    for (let index = 0; index < 45; index++)
      anonymous.push(
        (await send(server.url, '/', { headers: { ...HOST, 'X-Forwarded-For': `2001:db8:1:1::${index}` } }))
          .status,
      );
    expect(anonymous).toContain(429);
    expect(
      (await send(server.url, '/', { headers: { ...HOST, 'X-Forwarded-For': '2001:db8:1:2::1' } })).status,
    ).toBe(200);
    expect(
      (await send(server.url, '/healthz', { headers: { 'X-Forwarded-For': '2001:db8:1:1::1' } })).status,
    ).toBe(200);
  });

  it('limits tries with unknown keys, not the holders of known ones beside them', async () => {
    const address = from();
    const statuses = [];
    for (let index = 0; index < 25; index++)
      statuses.push(
        (
          await send(server.url, '/problems', {
            headers: { ...HOST, ...address, 'X-API-Key': `guess ${index}` },
          })
        ).status,
      );
    expect(statuses.slice(0, 20)).toEqual(new Array(20).fill(401));
    expect(statuses.slice(22)).toEqual([429, 429, 429]);
    expect((await send(server.url, '/problems', { headers: { ...as('read'), ...address } })).status).toBe(
      200,
    );
  });

  it('keeps the keys when the changed file cannot be used, and drops one that was taken out', async () => {
    const text = await readFile(keysFile, 'utf8');
    await writeFile(keysFile, '[{');
    server.signal('SIGHUP');
    await vi.waitFor(() => {
      expect(server.output()).toContain('The keys stay as they were');
    });
    expect((await send(server.url, '/problems', { headers: { ...as('read'), ...from() } })).status).toBe(200);
    const entries = JSON.parse(text) as { name: string }[];
    await writeFile(keysFile, JSON.stringify(entries.filter(({ name }) => name !== 'the-reader')));
    server.signal('SIGHUP');
    await vi.waitFor(async () => {
      expect((await send(server.url, '/problems', { headers: { ...as('read'), ...from() } })).status).toBe(
        401,
      );
    });
  });

  it('logs who changed what, and never a key', async () => {
    const before = auditOf(server).length;
    const headers = { ...as('write'), 'X-Forwarded-For': '198.51.100.7, 203.0.113.200' };
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
      headers: { ...HOST, ...from(), 'X-API-Key': 'no such key at all' },
    });
    await send(server.url, `/images/${id}`, { method: 'DELETE', headers });
    await vi.waitFor(() => {
      expect(auditOf(server).slice(before)).toMatchObject([
        {
          action: 'POST /images',
          keyName: 'the-writeer',
          address: '203.0.113.200',
          outcome: 'done',
          status: 201,
          ids: [id],
        },
        {
          action: 'POST /images',
          keyName: 'the-writeer',
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
        { action: 'DELETE /images/:id', keyName: 'the-writeer', outcome: 'done', status: 204, ids: [id] },
      ]);
    });
    expect(
      linesOf(server).filter(({ audit, requestId }) => audit !== undefined && requestId === undefined),
    ).toEqual([]);
    for (const secret of [...Object.values(keys), 'the old key', 'guess 1', 'no such key'])
      expect(server.output()).not.toContain(secret);
  });

  it('shows in its description what each route needs', async () => {
    type Operation = { security: object[]; 'x-required-scope': string; responses: Record<string, unknown> };
    const { body } = await send(server.url, '/openapi.json', { headers: { ...HOST, ...from() } });
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

describe('a service that trusts no proxy', () => {
  it('takes the address of the connection, whatever headers say', async () => {
    const server = await TestServer.start({
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'direct')),
      RATE_LIMIT: '10',
    });
    const statuses = [];
    for (let index = 0; index < 15; index++) {
      const headers = {
        'X-Forwarded-For': `203.0.113.${index}`,
        Forwarded: `for=203.0.113.${index}`,
        'X-Real-IP': `203.0.113.${index}`,
      };
      statuses.push((await send(server.url, '/problems', { headers })).status);
    }
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(4);
    await delay(50);
    expect(server.output()).not.toContain('203.0.113.');
    await server.stop();
  });

  it('says which settings of access it cannot use', async () => {
    const { code, output } = await runToEnd({
      CLIP_CHECKPOINT: checkpoint,
      TRUST_PROXY: 'true',
      ALLOWED_HOSTS: 'http://x',
      CORS_ORIGIN: 'https://a.example/path',
      API_KEY: 'schlüssel-schlüssel',
    });
    expect(code).toBe(2);
    for (const name of ['TRUST_PROXY', 'ALLOWED_HOSTS', 'CORS_ORIGIN', 'API_KEY'])
      expect(output).toMatch(new RegExp(`${name}: expected`));
    const missing = await runToEnd({
      CLIP_CHECKPOINT: checkpoint,
      API_KEYS_FILE: join(folder, 'absent.json'),
    });
    expect([missing.code, missing.output]).toEqual([
      2,
      expect.stringMatching(/absent\.json \(API_KEYS_FILE\) cannot be used: ENOENT/),
    ]);
  });
});
