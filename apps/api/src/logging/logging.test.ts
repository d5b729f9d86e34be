import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import express from 'express';
import type { Logger } from 'pino';
import { describe, expect, it } from 'vitest';
import { logRequests } from './access-log.js';
import { createLogger } from './logger.js';
import { NestLogger } from './nest-logger.js';

/** A logger and what it has written so far. */
function capture(format: 'json' | 'text' = 'json'): { logger: Logger; text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return { logger: createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: format }, stream), text: () => text };
}

const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the log', () => {
  it('is one JSON object a line, without what Nest says of its own start', () => {
    const { logger, text } = capture();
    const nest = new NestLogger(logger);
    nest.log('starting', 'NestFactory');
    nest.log('3 images can be searched', 'Index');
    nest.error('failed', 'Error: failed\n    at somewhere', 'Index');
    expect(linesOf(text())).toEqual([
      {
        level: 'info',
        time: expect.any(String) as string,
        context: 'Index',
        msg: '3 images can be searched',
      },
      {
        level: 'error',
        time: expect.any(String) as string,
        context: 'Index',
        msg: 'Error: failed\n    at somewhere',
      },
    ]);
  });

  it('holds the causes of an error, and only the known fields of each', () => {
    const { logger, text } = capture();
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', query: 'a secret text' });
    logger.error({ err: new Error('not stored', { cause }) }, 'failed');
    expect(linesOf(text())[0]).toMatchObject({
      err: { message: 'not stored', cause: { message: 'refused', code: 'ECONNREFUSED' } },
    });
    expect(text()).not.toContain('secret');
  });

  it('blots out keys and texts, should a caller pass them', () => {
    const { logger, text } = capture();
    logger.info({ authorization: 'Bearer abc', query: { q: 'my illness', labels: ['abc'] } }, 'x');
    logger.info({ headers: { 'x-api-key': 'abc', cookie: 'abc' } }, 'x');
    expect(text()).not.toMatch(/abc|illness/);
    expect(text()).toContain('[redacted]');
  });

  it('is text for a person when asked for', () => {
    const { logger, text } = capture('text');
    logger.warn({ context: 'Index', images: 3 }, 'slow');
    expect(text()).toMatch(/^\d{4}-.*Z warn Index: slow \{"images":3\}\n$/);
  });
});

describe('the log of requests', () => {
  async function ask(trustsProxy: boolean, path: string, headers: Record<string, string> = {}) {
    const { logger, text } = capture();
    const app = express();
    app.use(logRequests(logger, trustsProxy));
    app.use((_request, response) => {
      response.end('ok');
    });
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
      await response.text();
      return { id: response.headers.get('x-request-id')!, text };
    } finally {
      server.close();
      await once(server, 'close');
    }
  }

  it('names id, method, path and status, never the query or a header', async () => {
    const { id, text } = await ask(false, '/search?q=my+illness', {
      'X-API-Key': 'secret',
      Cookie: 'secret',
    });
    const [line] = linesOf(text());
    expect(line).toMatchObject({
      requestId: id,
      method: 'GET',
      path: '/search',
      status: 200,
      client: '127.0.0.1',
    });
    expect(line!.responseTime).toBeTypeOf('number');
    expect(text()).not.toMatch(/illness|secret/);
  });

  it('takes an id from a trusted proxy alone, and only a harmless one', async () => {
    expect((await ask(true, '/', { 'X-Request-Id': 'abc-1' })).id).toBe('abc-1');
    expect((await ask(true, '/', { 'X-Request-Id': 'a"b' })).id).toMatch(/^[\w-]{36}$/);
    expect((await ask(false, '/', { 'X-Request-Id': 'abc-1' })).id).toMatch(/^[\w-]{36}$/);
  });

  it('leaves out health checks that succeed', async () => {
    expect((await ask(false, '/healthz')).text()).toBe('');
  });
});
