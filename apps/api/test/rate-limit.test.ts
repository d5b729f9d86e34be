/** How often a client may ask, and what the service takes for one client: a key, an address, a proxy's word. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { fromNewAddress, makeKey } from './support/access-keys.js';
import { linesOf } from './support/log-lines.js';
import { send } from './support/raw-request.js';
import { jsonRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const HOST = { Host: 'clip.example' };

describe('a service behind a proxy', () => {
  const folder = useFolder();
  const keysFile = join(folder, 'keys.json');
  /** Each is spent by one test. */
  let key: string;
  let other: string;

  beforeAll(async () => {
    const made = await Promise.all([makeKey('one', 'read'), makeKey('other', 'read')]);
    [key, other] = [made[0].key, made[1].key];
    await writeFile(keysFile, JSON.stringify(made.map(({ entry }) => entry)));
  });
  const server = useServer(folder, {
    HOST: '0.0.0.0',
    ALLOWED_HOSTS: 'clip.example',
    TRUST_PROXY: '1',
    API_KEYS_FILE: keysFile,
    API_KEY_SCOPE: 'all',
    RATE_LIMIT: '40',
  });

  it('limits each key and each address separately, and says when to retry', async () => {
    const burst = async (headers: Record<string, string>) => {
      const answers = [];
      for (let index = 0; index < 45; index++)
        answers.push(await send(server.url, '/problems', { headers: { ...HOST, ...headers } }));
      return answers;
    };
    const answers = await burst({ 'X-API-Key': key, 'X-Forwarded-For': '198.51.100.1' });
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
      (await send(server.url, '/problems', { headers: { ...HOST, 'X-API-Key': key, ...fromNewAddress() } }))
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
    const address = fromNewAddress();
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
    expect(
      (await send(server.url, '/problems', { headers: { ...HOST, ...address, 'X-API-Key': other } })).status,
    ).toBe(200);
  });
});

describe('a service that trusts no proxy', () => {
  /** A client of its own, apart from the others at this address. */
  const KEY = 'a key of the client with many texts';
  const server = useServer(useFolder(), {
    API_KEY: KEY,
    RATE_LIMIT: '20',
    MAX_LABELS: '256',
    ENCODER_QUEUE: '512',
    ENCODER_BATCH: '1',
  });

  it('takes the address of the connection, whatever headers say', async () => {
    const statuses = [];
    for (let index = 0; index < 25; index++) {
      const headers = {
        'X-Forwarded-For': `203.0.113.${index}`,
        Forwarded: `for=203.0.113.${index}`,
        'X-Real-IP': `203.0.113.${index}`,
      };
      statuses.push((await send(server.url, '/problems', { headers })).status);
    }
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(4);
    await vi.waitFor(() => {
      const clients = linesOf(server).flatMap(({ client }) => (client === undefined ? [] : [client]));
      // The 20 that were allowed and the first that was not: refusals in quick succession are not logged one by one.
      expect(clients.length).toBeGreaterThanOrEqual(21);
      expect(new Set(clients)).toEqual(new Set(['127.0.0.1']));
    }, 10_000);
    expect(server.output()).not.toContain('203.0.113.');
  });

  it('a client that asks too often waits, and a full queue is said', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, request) =>
        server.fetch(
          '/embed',
          jsonRequest(
            { texts: Array.from({ length: 256 }, (_, n) => `${request} ${n}`) },
            { 'X-API-Key': KEY },
          ),
        ),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(5);
    expect(statuses).toContain(200);
    expect(statuses).toContain(503);
    for (const answer of answers) {
      if (answer.status !== 200) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      await answer.arrayBuffer();
    }
    expect((await server.fetch('/healthz')).status).toBe(200);
  });
});
