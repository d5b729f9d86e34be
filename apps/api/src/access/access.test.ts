import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Request } from 'express';
import { describe, expect, it } from 'vitest';
import { KeyRing, MAX_KEY_LENGTH, createKey } from './api-keys.js';
import { normaliseAddress } from './caller.js';
import { hostCheck, normaliseName } from './host.js';
import { RateLimiter } from './rate-limit.js';
import { covers } from './scope.js';

describe('host names', () => {
  it.each([
    ['localhost', 'localhost'],
    ['LocalHost:3000', 'localhost'],
    ['localhost.:80', 'localhost'],
    ['127.0.0.1:1', '127.0.0.1'],
    ['[::1]:3000', '[::1]'],
    ['::1', '[::1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['clip.example', 'clip.example'],
  ])('%j is %j', (host, name) => {
    expect(normaliseName(host)).toBe(name);
  });

  it.each([
    '',
    ':3000',
    '[::1',
    '[zz]',
    'a b',
    'a/b',
    'user@localhost',
    'a,b',
    'localhost:99999',
    'localhost:x',
    '..',
    'a..b',
    '.a',
    'é',
    'a\\b',
    'a?b',
    'a#b',
  ])('%j is none', (host) => {
    expect(normaliseName(host)).toBeUndefined();
  });

  const answer = (
    settings: { HOST: string; ALLOWED_HOSTS?: string[] },
    host: string[],
    url = '/search',
    httpVersion = '1.1',
  ) =>
    hostCheck(settings)({
      httpVersion,
      headersDistinct: { host },
      host: host[0],
      url,
      path: url.replace(/^https?:\/\/[^/]*/, ''),
    } as unknown as Request)?.code;

  it.each(['127.0.0.1', '::1', 'localhost', '127.9.9.9'])('on %s only loopback names are served', (HOST) => {
    for (const host of [
      'localhost:3000',
      'a.localhost',
      '127.0.0.1',
      '127.1.2.3:80',
      '[::1]:5',
      'LOCALHOST.',
    ])
      expect(answer({ HOST }, [host])).toBeUndefined();
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '10.0.0.1',
      '127.0.0.1.evil.example',
      '0.0.0.0',
      'xlocalhost',
      '127.1',
      '2130706433',
      '[::2]',
    ])
      expect([host, answer({ HOST }, [host])]).toEqual([host, 'host_not_allowed']);
    expect(answer({ HOST }, ['evil.example'], '/healthz')).toBe('host_not_allowed');
  });

  it('on a loopback address ALLOWED_HOSTS adds the names that a proxy beside it passes on', () => {
    const settings = { HOST: '127.0.0.1', ALLOWED_HOSTS: ['clip.example'] };
    expect(answer(settings, ['clip.example'])).toBeUndefined();
    expect(answer(settings, ['localhost'])).toBeUndefined();
    expect(answer(settings, ['x.clip.example'])).toBe('host_not_allowed');
  });

  it('elsewhere those of ALLOWED_HOSTS are served, with sub-domains when it says so, and health checks under any', () => {
    const settings = { HOST: '0.0.0.0', ALLOWED_HOSTS: ['clip.example', '*.apps.example', '192.0.2.7'] };
    for (const host of [
      'clip.example',
      'CLIP.example:8080',
      'clip.example.',
      'a.apps.example',
      'a.b.apps.example',
      '192.0.2.7',
    ])
      expect(answer(settings, [host])).toBeUndefined();
    for (const host of [
      'apps.example',
      'xapps.example',
      'clip.example.evil.example',
      'localhost',
      '192.0.2.8',
    ])
      expect([host, answer(settings, [host])]).toEqual([host, 'host_not_allowed']);
    expect(answer(settings, ['192.0.2.8'], '/healthz')).toBeUndefined();
    expect(answer(settings, [], '/readyz')).toBeUndefined();
    expect(answer({ HOST: '0.0.0.0', ALLOWED_HOSTS: ['*'] }, ['any.example'])).toBeUndefined();
  });

  it('elsewhere, without ALLOWED_HOSTS, only names that an attacker cannot point here', () => {
    const settings = { HOST: '0.0.0.0' };
    for (const host of ['192.0.2.1:3000', '[2001:db8::1]:3000', 'localhost', hostname()])
      expect(answer(settings, [host])).toBeUndefined();
    expect(answer(settings, ['evil.example'])).toBe('host_not_allowed');
  });

  it('a missing, doubled or contradicted host is refused', () => {
    const settings = { HOST: '127.0.0.1' };
    expect(answer(settings, [])).toBe('malformed_request');
    expect(answer(settings, [], '/search', '1.0')).toBe('host_not_allowed');
    expect(answer(settings, ['localhost', 'localhost'])).toBe('malformed_request');
    expect(answer(settings, ['localhost'], 'http://evil.example/search')).toBe('host_not_allowed');
    expect(answer(settings, ['localhost'], 'http://localhost/search')).toBeUndefined();
  });
});

describe('client addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('%s counts as %s', (given, counted) => {
    expect(normaliseAddress(given)).toBe(counted);
  });
});

describe('a rate limiter', () => {
  it('lets a burst pass, then so many a minute, for each client', () => {
    let time = 0;
    const limiter = new RateLimiter(2, () => time);
    const take = (client: string) => limiter.take(client).allowed;
    expect([take('a'), take('a'), take('a'), take('b')]).toEqual([true, true, false, true]);
    expect(limiter.take('a')).toEqual({ allowed: false, remaining: 0, reset: 60, retryAfter: 30 });
    time += 30_000;
    expect([take('a'), take('a')]).toEqual([true, false]);
  });

  it('takes the cost of a request, and one that costs more than the bucket holds from a full bucket', () => {
    let time = 0;
    const limiter = new RateLimiter(10, () => time);
    expect(limiter.take('a', 8)).toMatchObject({ allowed: true, remaining: 2 });
    expect(limiter.take('a', 3)).toMatchObject({ allowed: false, remaining: 2, retryAfter: 6 });
    expect(limiter.take('a', 2).allowed).toBe(true);
    expect(limiter.take('b', 50)).toMatchObject({ allowed: true, remaining: 0 });
    time += 59_000;
    expect(limiter.take('b', 50).allowed).toBe(false);
    time += 1000;
    expect(limiter.take('b', 50).allowed).toBe(true);
  });

  it('remembers a bounded number of clients', () => {
    const limiter = new RateLimiter(2);
    for (let client = 0; client < 20_000; client++) limiter.take(String(client));
    expect(limiter.size).toBe(10_000);
  });
});

describe('API keys', () => {
  it('have 256 random bits and are known by their hash', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clip-keys-'));
    const path = join(folder, 'keys.json');
    const reader = createKey('reader', 'read');
    const writer = createKey('writer', 'write');
    expect(Buffer.from(reader.key.slice('clip_'.length), 'base64url')).toHaveLength(32);
    expect(reader.entry.sha256).toBe(createHash('sha256').update(reader.key).digest('hex'));
    await writeFile(path, JSON.stringify([reader.entry]));
    const keys = new KeyRing({ API_KEY: 'a key for everything', API_KEYS_FILE: path });
    expect(keys.find(reader.key)).toMatchObject({ name: 'reader', scope: 'read' });
    expect(keys.find('a key for everything')).toMatchObject({ name: 'API_KEY', scope: 'admin' });
    for (const text of [
      '',
      reader.entry.sha256,
      `${reader.key}x`,
      reader.key.slice(1),
      writer.key,
      'x'.repeat(MAX_KEY_LENGTH + 1),
    ])
      expect(keys.find(text)).toBeUndefined();
    await writeFile(path, JSON.stringify([writer.entry]));
    keys.reload();
    expect([keys.find(reader.key), keys.find(writer.key)?.name]).toEqual([undefined, 'writer']);
    await rm(folder, { recursive: true });
  });

  it.each([
    ['nothing there', undefined, /ENOENT/],
    ['no JSON', '[', /cannot be used/],
    ['a key in the clear', '[{"name":"a","scope":"read","key":"secret"}]', /0/],
    ['an unknown scope', `[{"name":"a","scope":"root","sha256":"${'0'.repeat(64)}"}]`, /0\.scope/],
    ['a short hash', '[{"name":"a","scope":"read","sha256":"00"}]', /0\.sha256/],
    [
      'a name that would break the log',
      `[{"name":"a\\nb","scope":"read","sha256":"${'0'.repeat(64)}"}]`,
      /0\.name/,
    ],
    [
      'the same name twice',
      `[${`{"name":"a","scope":"read","sha256":"${'0'.repeat(64)}"},`.repeat(2).slice(0, -1)}]`,
      /twice/,
    ],
  ])('a file with %s is refused and said', async (_what, text, message) => {
    const folder = await mkdtemp(join(tmpdir(), 'clip-keys-'));
    const path = join(folder, 'keys.json');
    if (text !== undefined) await writeFile(path, text);
    expect(() => new KeyRing({ API_KEYS_FILE: path })).toThrow(message);
    expect(() => new KeyRing({ API_KEYS_FILE: path })).not.toThrow(/secret/);
    await rm(folder, { recursive: true });
  });

  it('each scope includes those below it', () => {
    expect(['open', 'read', 'write', 'admin'].map((need) => covers('write', need as 'open'))).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });
});
