import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { limitPerAddress, watchConnections } from './connections.js';

let server: Server;
const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
  server.close();
});

async function serve(listener: RequestListener, prepare: (server: Server) => void = () => undefined) {
  server = createServer(listener);
  prepare(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
}

async function client(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  open.push(socket);
  await once(socket, 'connect');
  return socket;
}

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('connections', () => {
  it('of one address beyond its part are closed, and give their places back', async () => {
    await serve(
      (_request, response) => response.end('yes'),
      (one) => limitPerAddress(one, 2, () => false),
    );
    const [first] = [await client(), await client()];
    const third = await client();
    await once(third.resume(), 'close');
    first.destroy();
    await once(first, 'close');
    await expect
      .poll(async () => {
        const next = await client();
        next.write(GET);
        const [answer] = (await Promise.race([once(next, 'data'), once(next, 'close')])) as [unknown];
        return String(answer);
      })
      .toContain('200 OK');
  });

  it('of a proxy are not counted', async () => {
    await serve(
      (_request, response) => response.end('yes'),
      (one) => limitPerAddress(one, 1, (address) => address === '127.0.0.1'),
    );
    await client();
    const second = await client();
    second.write(GET);
    expect(String(await once(second, 'data'))).toContain('200 OK');
  });

  it('that leave an answer unread are closed', async () => {
    const SIZE = 32 * 1024 * 1024;
    await serve(
      (_request, response) => response.end(Buffer.alloc(SIZE)),
      (one) => watchConnections(one, { patience: 200, interval: 50 }),
    );
    const connection = once(server, 'connection');
    const socket = await client();
    socket.pause().write(GET);
    const [accepted] = (await connection) as [Socket];
    await once(accepted, 'close');
    let received = 0;
    socket.on('data', (bytes: Buffer) => (received += bytes.length)).resume();
    await once(socket, 'close');
    expect(received).toBeLessThan(SIZE);
  });

  it('without a whole request do not keep a server from closing, and those with one are answered first', async () => {
    let answer: () => void = () => undefined;
    let closeUnused: () => void = () => undefined;
    await serve(
      (_request, response) => {
        answer = () => response.end('the answer');
      },
      (one) => (closeUnused = watchConnections(one)),
    );
    const asking = await client();
    const requested = once(server, 'request');
    asking.write(GET);
    await requested;
    const [silent, begun] = [await client(), await client()];
    begun.write('GET / HTTP/1.1\r\nHost: loc');
    const closed = new Promise((resolve) => server.close(resolve));
    const ended = [silent, begun].map(
      (socket) => new Promise((resolve) => socket.resume().once('close', resolve)),
    );
    closeUnused();
    await Promise.all(ended);
    let received = '';
    asking.on('data', (part) => (received += String(part)));
    answer();
    await closed;
    await once(asking, 'close');
    expect(received).toContain('the answer');
  });
});
