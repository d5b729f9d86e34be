/** Clients that send their requests a byte at a time, many at once: they are cut off, and others are served. */
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { head } from '../hostile/wire.mjs';
import { colourPng } from './support/images.js';
import { formRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const MAX_CONNECTIONS = 120;
const PER_ADDRESS = MAX_CONNECTIONS / 2;
const CLIENTS = 20;
const server = useServer(useFolder(), { MAX_CONNECTIONS: String(MAX_CONNECTIONS) }, {});

const JSON_TYPE = { 'Content-Type': 'application/json' };
const FORM_TYPE = { 'Content-Type': 'multipart/form-data; boundary=b' };
const FORM_START = '--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n';
/** What a client sends at once, and what it then sends again and again. */
const KINDS = {
  'a header field': {
    start: 'GET / HTTP/1.1\r\nHost: localhost\r\nX: ',
    drop: 'x',
    code: 'request_too_slow',
  },
  'JSON of a length': {
    start: `${head('POST', '/embed', { ...JSON_TYPE, 'Content-Length': 1000 })}{"texts":["`,
    drop: 'x',
    code: 'body_too_slow',
  },
  'JSON in chunks': {
    start: `${head('POST', '/embed', { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' })}b\r\n{"texts":["\r\n`,
    drop: '1\r\nx\r\n',
    code: 'body_too_slow',
  },
  'a form': {
    start: `${head('POST', '/images', { ...FORM_TYPE, 'Content-Length': 100_000 })}${FORM_START}`,
    drop: 'x',
    code: 'body_too_slow',
  },
  'a body for no route': {
    start: head('POST', '/nothing', { ...JSON_TYPE, 'Content-Length': 1000 }),
    drop: 'x',
    code: 'route_not_found',
  },
};

interface Client {
  socket: Socket;
  answer: string;
  closed: Promise<void>;
}

const open: Socket[] = [];
afterAll(() => open.forEach((socket) => socket.destroy()));

/** A client with an address of its own. */
function client(localAddress: string): Client {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port), localAddress, noDelay: true });
  open.push(socket);
  const made: Client = {
    socket,
    answer: '',
    closed: new Promise((resolve) => void socket.once('close', () => resolve())),
  };
  socket.on('error', () => undefined).on('data', (bytes) => (made.answer += bytes.toString('latin1')));
  return made;
}

/** Resident memory of the service, in MiB. */
const memory = () => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(server.pid)])) / 1024;

describe.skipIf(process.platform !== 'linux')('clients that let a request trickle in', () => {
  it('are told so within the time for it, many at once, while others are served', async () => {
    const before = memory();
    const clients = Object.entries(KINDS).flatMap(([name, kind], n) =>
      // Spread over three addresses, none of which may hold more than its part.
      Array.from({ length: CLIENTS }, (_, m) =>
        Object.assign(client(`127.0.0.${2 + ((n + m) % 3)}`), { name, ...kind }),
      ),
    );
    for (const { socket, start } of clients) socket.write(start);
    const isOver = Promise.all(clients.map(({ closed }) => closed)).then(() => true);
    let served = 0;
    for (;;) {
      if (await Promise.race([isOver, delay(1000)])) break;
      for (const { socket, drop } of clients) if (socket.writable) socket.write(drop);
      const form = formRequest({ image: await colourPng('red'), labels: ['red', 'blue'] });
      if ((await server.fetch('/classify', form)).status === 200) served++;
    }
    expect(served).toBeGreaterThan(5);
    for (const { name, answer, code } of clients) {
      expect([name, answer]).toEqual([name, expect.stringContaining(`"code":"${code}"`)]);
    }
    expect(memory() - before).toBeLessThan(100);
  });

  it('hold a part of the connections, and leave the rest to other addresses', async () => {
    const clients = Array.from({ length: PER_ADDRESS + 10 }, () => client('127.0.0.9'));
    for (const { socket } of clients) socket.write(KINDS['a header field'].start);
    await Promise.all(clients.slice(PER_ADDRESS).map(({ closed }) => closed));
    const held = clients.filter(({ socket }) => !socket.destroyed);
    expect(held).toHaveLength(PER_ADDRESS);
    expect((await server.fetch('/search?q=red')).status).toBe(200);
    for (const { socket } of held) socket.destroy();
  });
});
