/**
 * What one client may do with connections: hold a part of them, not leave answers unread for long, and not keep the
 * server from closing with connections on which it asks for nothing.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { normaliseAddress } from '../access/caller.js';

/** A client that reads nothing of an answer for this long loses its connection, in milliseconds. */
const PATIENCE = 30_000;
/** How often that is looked at, in milliseconds. */
const INTERVAL = 2000;

/** Closes connections of one address beyond `most`. Proxies, which speak for many, are not counted. */
export function limitPerAddress(server: Server, most: number, isProxy: (address: string) => boolean): void {
  const connections = new Map<string, number>();
  server.on('connection', (socket) => {
    const given = socket.remoteAddress;
    if (given === undefined || isProxy(given)) return;
    const address = normaliseAddress(given);
    const own = connections.get(address) ?? 0;
    if (own >= most) {
      socket.destroy();
      return;
    }
    connections.set(address, own + 1);
    socket.once('close', () => {
      const left = (connections.get(address) ?? 1) - 1;
      if (left > 0) connections.set(address, left);
      else connections.delete(address);
    });
  });
}

/**
 * Closes connections whose client leaves what was answered unread: a request counts as under way until its answer
 * has been taken.
 */
export function watchReaders(server: Server, { patience = PATIENCE, interval = INTERVAL } = {}): void {
  const sockets = new Map<Socket, { taken: number; since: number }>();
  server.on('connection', (socket) => {
    sockets.set(socket, { taken: 0, since: performance.now() });
    socket.once('close', () => sockets.delete(socket));
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [socket, seen] of sockets) {
      const taken = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || taken !== seen.taken) sockets.set(socket, { taken, since: now });
      else if (now - seen.since > patience) socket.destroy();
    }
  }, interval).unref();
  server.once('close', () => clearInterval(timer));
}

/**
 * Returns a function to call when the server closes: it ends connections without a request, and each other one once its
 * requests are answered. Node.js itself closes only connections that have had a request before; browsers open some in
 * advance, and a request whose headers are not complete has not been accepted either.
 */
export function closeWithoutRequests(server: Server): () => void {
  const requests = new Map<Socket, number>();
  let closing = false;
  const count = (socket: Socket, change: number) => {
    const running = requests.get(socket);
    if (running === undefined) return;
    requests.set(socket, running + change);
    if (closing && running + change === 0) socket.destroySoon();
  };
  server.on('connection', (socket) => {
    requests.set(socket, 0);
    socket.once('close', () => requests.delete(socket));
  });
  server.on('request', ({ socket }, response) => {
    count(socket, 1);
    response.once('close', () => {
      count(socket, -1);
    });
  });
  return () => {
    closing = true;
    for (const [socket, running] of requests) if (running === 0) socket.destroy();
  };
}
