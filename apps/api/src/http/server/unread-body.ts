/**
 * What becomes of a body that nobody reads: the request was refused, or its route takes none.
 *
 * The answer goes out at once with `Connection: close`. A client that is still sending needs a moment to see it
 * (closing at once would reset the connection under the answer), so a little more is read and dropped; then the
 * connection is cut, however much the client had announced.
 */
import type { RequestListener, Server } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';

/** How long a client may go on sending after the answer, in milliseconds. */
const LINGER = 1000;
/** Bytes that are dropped meanwhile; beyond it nothing more is taken from the socket. */
const LINGER_BYTES = 4 * 1024 * 1024;
/** A piece (a chunk of a chunked body) counts as this many bytes. */
const PIECE_COST = 1024;

/** Closes connections whose body was not read. Runs before everything that may answer. */
export function closeUnreadBodies(): RequestHandler {
  return (request, response, next) => {
    if (hasBody(request)) {
      response.setHeader('Connection', 'close');
      linger(request, response);
    }
    next();
  };
}

/** Keeps the connection open: the whole body has been read. */
export function markBodyRead(request: Request, response: Response): void {
  if (request.complete && !response.headersSent) response.removeHeader('Connection');
}

/** Sends `100 Continue` only when a body is read, instead of at once; other expectations are not met. */
export function delayContinue(server: Server): void {
  const hand: RequestListener = (request, response) => server.emit('request', request, response);
  server.on('checkContinue', hand).on('checkExpectation', hand);
}

function hasBody({ headers }: Request): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  return headers['content-length'] !== undefined && headers['content-length'] !== '0';
}

function linger(request: Request, response: Response): void {
  const { socket } = request;
  // Before 'finish', at which Node would read the rest without end and destroy the socket at once.
  response.once('prefinish', () => {
    if (request.complete || socket.destroyed) return;
    socket.destroySoon = () => {
      socket.end();
      const cut = setTimeout(() => socket.destroy(), LINGER);
      socket.once('close', () => clearTimeout(cut));
    };
    let dropped = 0;
    request.on('data', (bytes: Buffer) => {
      dropped += bytes.length + PIECE_COST;
      if (dropped > LINGER_BYTES) request.pause();
    });
    request.once('end', () => socket.destroy());
    request.resume();
  });
}
