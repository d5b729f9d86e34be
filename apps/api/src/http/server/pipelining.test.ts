import { once } from 'node:events';
import { IncomingMessage, createServer } from 'node:http';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { answerUnparsable, limitFields } from './bad-requests.js';
import { takeInTurn } from './pipelining.js';

/** Heads that the parser has made into requests. */
let parsed = 0;
class CountedRequest extends IncomingMessage {
  constructor(socket: Socket) {
    super(socket);
    parsed++;
  }
}

let server: Server;
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

async function serve(listener: RequestListener): Promise<void> {
  parsed = 0;
  server = createServer({ IncomingMessage: CountedRequest });
  server.on('request', limitFields(server, takeInTurn(listener)));
  answerUnparsable(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
}

/** Writes `text` and returns what has come back when the connection closes. */
async function exchange(text: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => (answer += part));
  socket.on('error', () => undefined);
  socket.write(text);
  await new Promise((resolve) => socket.on('close', resolve));
  return answer;
}

const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;
const last = 'Connection: close\r\n';

describe('requests of one connection', () => {
  it('are taken one after another, with their bodies, and answered in their order', async () => {
    let atOnce = 0;
    let most = 0;
    const work = async (request: IncomingMessage, response: ServerResponse) => {
      most = Math.max(most, ++atOnce);
      await delay(5);
      let body = '';
      for await (const part of request.setEncoding('utf8')) body += String(part);
      atOnce--;
      response.end(`[${request.url} ${body}]`);
    };
    await serve((request, response) => void work(request, response));
    const post = 'POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc';
    const text = await exchange(get('/a') + post + post + get('/c', last));
    expect(text.match(/\[[^\[\]]*\]/g)).toEqual(['[/a ]', '[/b abc]', '[/b abc]', '[/c ]']);
    expect(most).toBe(1);
  });

  it('that are far too many are neither answered nor parsed', async () => {
    let asked = 0;
    await serve(() => asked++);
    expect(await exchange(get('/').repeat(1000))).toBe('');
    expect(asked).toBe(1);
    expect(parsed).toBeLessThan(25);
  });

  it('do not run once their connection is gone', async () => {
    const paths: unknown[] = [];
    await serve((request) => {
      paths.push(request.url);
      request.socket.destroy();
    });
    await exchange(get('/a') + get('/b'));
    await delay(20);
    expect(paths).toEqual(['/a']);
  });
});

describe('a request that is refused before Express', () => {
  const problemOf = (text: string) => {
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toContain('Content-Type: application/problem+json');
    expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
    const problem = JSON.parse(body) as { status: number; code: string };
    expect(head).toContain(`HTTP/1.1 ${problem.status} `);
    return problem.code;
  };
  const fields = (count: number) => Array.from({ length: count }, (_, n) => `x${n}: 1\r\n`).join('');

  it('has too many header fields: the rest of the connection is not parsed', async () => {
    let asked = 0;
    await serve((_request, response) => {
      asked++;
      response.end('yes');
    });
    expect(await exchange(get('/', fields(98) + last))).toContain('yes');
    expect(problemOf(await exchange(get('/', fields(1000)).repeat(5)))).toBe('headers_too_large');
    // The parser ends with the head after the one that was refused.
    expect([asked, parsed]).toEqual([1, 3]);
  });

  it.each([
    ['headers_too_large', get('/', `x: ${'y'.repeat(20_000)}\r\n`)],
    ['malformed_request', 'no HTTP at all\r\n\r\n'],
    ['malformed_request', get('/', 'Content-Length: 1\r\nContent-Length: 2\r\n')],
    ['malformed_request', get('/', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n')],
    ['malformed_request', get('/', 'x y: z\r\n')],
    ['malformed_request', 'GET /a b HTTP/1.1\r\n\r\n'],
  ])('is a problem with the code %s', async (code, text) => {
    await serve((_request, response) => response.end());
    expect(problemOf(await exchange(text))).toBe(code);
  });

  it('never comes in the place of an answer that is due', async () => {
    await serve((_request, response) => void delay(20).then(() => response.end('yes')));
    expect(await exchange(`${get('/')}nonsense\r\n\r\n`)).toBe('');
  });
});
