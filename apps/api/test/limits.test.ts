/** What requests may cost, and what needs the key, at a running service with small limits. */
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { exchange, head } from '../hostile/wire.mjs';
import { colourPng, rgbPng } from './support/images.js';
import { formRequest, jsonRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const KEY = 'a key of the limits test';
const withKey = { 'X-API-Key': KEY };

const server = useServer(useFolder(), {
  API_KEY: KEY,
  EMBEDDING_CACHE: '4',
  MAX_COMPUTE: '1200',
  COMPUTE_LIMIT: '3000',
});

const texts = (count: number, name: string) => Array.from({ length: count }, (_, n) => `${name} ${n}`);

describe('a key', () => {
  it('protects changes, and leaves the rest to everybody', async () => {
    const form = async (headers: Record<string, string> = {}) => ({
      ...formRequest({ image: await rgbPng(1, 2, 3) }),
      headers,
    });
    expect(await server.problem('/images', await form())).toMatchObject({
      status: 401,
      code: 'unauthorized',
    });
    const wrong = await server.problem('/images', await form({ 'X-API-Key': `${KEY}x` }));
    expect(wrong.code).toBe('unauthorized');
    expect((await server.fetch('/images', await form({ Authorization: `Bearer ${KEY}` }))).status).toBe(201);
    expect((await server.fetch('/search?q=red')).status).toBe(200);
  });
});

describe('what a request may cost', () => {
  it('has room for more labels than the cache holds', async () => {
    const labels = ['red', 'green', 'blue', 'yellow', 'cyan', 'magenta'];
    for (let n = 0; n < 2; n++) {
      const form = formRequest({ image: await colourPng('blue'), labels });
      const answer = await server.json<{ label: string }[]>('/classify', form);
      expect(answer).toHaveLength(6);
      expect(answer[0]?.label).toBe('blue');
    }
  });

  it('takes name[] for a repeated field, and no other structure', async () => {
    const image = await colourPng('red');
    const form = formRequest({ image, 'labels[]': ['red', 'blue'] });
    expect(await server.json<unknown[]>('/classify', form)).toHaveLength(2);
    const found = await server.fetch('/search?q=red&tag[]=a&tag[]=b');
    expect(found.status).toBe(200);
    for (const name of ['labels[99999999]', 'labels[0]', 'labels.a', 'labels[a][b]']) {
      const problem = await server.problem('/classify', formRequest({ image, [name]: 'red' }));
      expect([problem.code, problem.errors?.[0]?.field]).toEqual(['invalid_request', name]);
    }
  });

  it('is bounded before prompts are made of labels and template', async () => {
    const form = formRequest({
      image: await colourPng('red'),
      labels: ['a'.repeat(900)],
      hypothesis_template: '{}'.repeat(500),
    });
    const problem = await server.problem('/classify', form);
    expect([problem.status, problem.errors?.[0]?.field]).toEqual([400, 'hypothesis_template']);
  });

  it('is refused when it is too much for one request, or for one client in a minute', async () => {
    const large = { texts: texts(256, 'x'.repeat(600)) };
    expect(await server.problem('/embed', jsonRequest(large, withKey))).toMatchObject({
      status: 413,
      code: 'request_too_costly',
    });
    const answers = [];
    for (let n = 0; n < 14; n++) {
      answers.push(await server.fetch('/embed', jsonRequest({ texts: texts(250, `new ${n}`) }, withKey)));
    }
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers[0]?.status).toBe(200);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
    // Another client is not concerned.
    expect((await server.fetch('/search?q=something')).status).toBe(200);
  });

  it('is not paid for a body without the key, nor on a route that is not there', async () => {
    const body = Buffer.alloc(100 * 1024 * 1024, 'a');
    for (const [path, status] of [
      ['/images', 401],
      ['/imports', 401],
      ['/nothing', 404],
    ] as const) {
      const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
      const pieces = Array.from({ length: 100 }, (_, n) => body.subarray(n << 20, (n + 1) << 20));
      const answer = await exchange(server.url, { parts: [head('POST', path, headers), ...pieces] });
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.written).toBeLessThan(20 * 1024 * 1024);
    }
  });

  it('keeps a connection open after a body that was read', async () => {
    const body = '{"texts":["red"]}';
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const reused: boolean[] = [];
    for (let n = 0; n < 2; n++) {
      const request = httpRequest(`${server.url}/embed`, { method: 'POST', headers, agent });
      request.end(body);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      reused.push(request.reusedSocket);
    }
    agent.destroy();
    expect(reused).toEqual([false, true]);
  });
});
