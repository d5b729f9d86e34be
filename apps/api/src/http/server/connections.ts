/**
 * What one client may do with connections: hold a share of them, not leave answers unread for long, and not keep the
 * server from closing with connections on which it requests nothing.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { normaliseAddress } from '../../access/caller.js';

/** A client that reads nothing of an answer for this long loses its connection, in milliseconds. */
const PATIENCE = 30_000;
/** How often that is checked, in milliseconds. */
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

/** An open connection. */
interface Connection {
  /** Requests that have not been answered. */
  requests: number;
  /** Bytes of answers that the client has taken, and when it last took some. */
  taken: number;
  takenAt: number;
}

/**
 * Watches the open connections of a server, and closes those whose client leaves an answer unread.
 *
 * Returns a function to call when the server closes: it ends connections without a request, and each other one once its
 * requests are answered. Node.js itself closes only connections that have had a request before; browsers open some in
 * advance, and a request whose headers are not complete has not been accepted either.
 */
export function watchConnections(
  server: Server,
  { patience = PATIENCE, interval = INTERVAL } = {},
): () => void {
  const connections = new Map<Socket, Connection>();
  let closing = false;
  server.on('connection', (socket) => {
    connections.set(socket, { requests: 0, taken: 0, takenAt: performance.now() });
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', ({ socket }, response) => {
    const connection = connections.get(socket);
    if (connection === undefined) return;
    connection.requests++;
    response.once('close', () => {
      connection.requests--;
      if (closing && connection.requests === 0) socket.destroySoon();
    });
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [socket, connection] of connections) {
      const taken = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || taken !== connection.taken) {
        Object.assign(connection, { taken, takenAt: now });
      } else if (now - connection.takenAt > patience) socket.destroy();
    }
  }, interval).unref();
  server.once('close', () => clearInterval(timer));
  return () => {
    closing = true;
    for (const [socket, { requests }] of connections) if (requests === 0) socket.destroy();
  };
}
