/**
 * Requests that Node's parser refuses, or whose headers are too many. They are answered with a problem before anything
 * else looks at them, at the least cost, and the connection is closed.
 */
import { STATUS_CODES } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ProblemCode } from '../../problems/catalogue.js';
import { Problem } from '../../problems/problem.js';
import { requestsUnderWay, stopParsing } from './pipelining.js';

/** Maximum number of header fields of a request, as in Apache; browsers and proxies send a quarter of it. */
const MAX_FIELDS = 100;

/** Refuses requests with more than {@link MAX_FIELDS} header fields. */
export function limitFields(server: Server, listener: RequestListener, basePath = ''): RequestListener {
  // One more than allowed, so that what is over is seen. Node drops the rest.
  server.maxHeadersCount = MAX_FIELDS + 1;
  const problem = new Problem('headers_too_large', `The request has more than ${MAX_FIELDS} header fields.`);
  return (request, response) => {
    if (request.rawHeaders.length <= 2 * MAX_FIELDS) {
      listener(request, response);
      return;
    }
    const body = JSON.stringify(problem.toBody(request.url?.split('?', 1)[0] ?? '', basePath));
    response.writeHead(problem.status, { ...PROBLEM_HEADERS, 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
    stopParsing(request.socket);
  };
}

const PROBLEM_HEADERS = {
  'Content-Type': 'application/problem+json; charset=utf-8',
  'Cache-Control': 'no-store',
  Connection: 'close',
};

/** Answers what the parser refuses. Where earlier answers of the connection are due, it is closed without an answer. */
export function answerUnparsable(server: Server, basePath = ''): void {
  const malformed = rawAnswer(...MALFORMED, basePath);
  const answers = new Map(ANSWERS.map(([code, answer]) => [code, rawAnswer(...answer, basePath)]));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.writable && !socket.writableEnded && requestsUnderWay(socket) === 0) {
      socket.write(answers.get(error.code ?? '') ?? malformed);
      socket.destroySoon();
    } else socket.destroy(error);
  });
}

type RawAnswer = readonly [code: ProblemCode, detail: string];

const MALFORMED: RawAnswer = ['malformed_request', 'The request is not HTTP/1.1 as RFC 9112 has it.'];

/** By the codes of the errors of Node's parser. */
const ANSWERS: readonly (readonly [string, RawAnswer])[] = [
  [
    'HPE_HEADER_OVERFLOW',
    ['headers_too_large', 'The address and the header fields of the request are too long.'],
  ],
  [
    'HPE_CHUNK_EXTENSIONS_OVERFLOW',
    ['request_too_large', 'The chunks of the body have too many extensions.'],
  ],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['request_too_slow', 'The request took too long to arrive.']],
];

function rawAnswer(code: ProblemCode, detail: string, basePath: string): string {
  const problem = new Problem(code, detail);
  // Which path was asked for is not known.
  const body = JSON.stringify(problem.toBody('', basePath));
  const headers = { ...PROBLEM_HEADERS, 'Content-Length': Buffer.byteLength(body) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, ...lines, '', body].join('\r\n');
}
