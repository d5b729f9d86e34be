/**
 * Requests that a connection sends before the answers to its earlier ones (pipelining, RFC 9112, section 9.3.2).
 *
 * 1. They are taken one after another, each in a turn of its own: a connection with many has no more of the service
 *    than one with a single request.
 * 2. A connection with more than {@link MAX_PIPELINED} of them is closed, and the parser is stopped: one read of a
 *    socket brings up to 2,500 requests, which would all be parsed before anything else has its turn.
 */
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that one connection may have under way. */
const MAX_PIPELINED = 16;

interface Connection {
  /** Requests without an answer, the one that is worked on among them. */
  underWay: number;
  waiting: (() => void)[];
}

const connections = new WeakMap<Socket, Connection>();

/** Requests of a connection that wait for their answers. */
export function requestsUnderWay(socket: Socket): number {
  return connections.get(socket)?.underWay ?? 0;
}

/** Hands requests to `listener`, those of one connection in turn. */
export function takeInTurn(listener: RequestListener): RequestListener {
  return (request, response) => {
    const { socket } = request;
    if (socket.destroyed) return;
    const connection = connections.get(socket) ?? { underWay: 0, waiting: [] };
    connections.set(socket, connection);
    if (connection.underWay >= MAX_PIPELINED) {
      socket.destroy();
      stopParsing(socket);
      return;
    }
    connection.underWay++;
    response.once('close', () => {
      connection.underWay--;
      const next = connection.waiting.shift();
      if (next !== undefined) setImmediate(next);
    });
    if (connection.underWay === 1) {
      listener(request, response);
      return;
    }
    connection.waiting.push(() => {
      if (!socket.destroyed) listener(request, response);
    });
  };
}

/** What Node's parser asks at the end of each head; 2 says that what follows is another protocol. */
interface Parser {
  onIncoming?: () => number;
}

/** Leaves what a connection has sent after the present request unparsed. The connection must be closed, or closing. */
export function stopParsing(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: Parser | null };
  if (parser?.onIncoming !== undefined) parser.onIncoming = () => 2;
}
