/**
 * Gives every request an id and logs it when it is answered (pino-http): id, method, path, route, status,
 * milliseconds, bytes, client. Health checks are logged only when they fail.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';

/** Longest path that is logged, in characters. */
const MAX_PATH = 200;
const REQUEST_ID = /^[\w.:-]{1,64}$/;

/**
 * The middleware. `request.log` and `request.id` are there after it; the id is answered in `X-Request-Id`.
 * A proxy that is trusted may give the id; from anyone else it could make lines of the log look like others'.
 */
export function logRequests(logger: Logger, trustsProxy: boolean): RequestHandler {
  return pinoHttp({
    logger,
    quietReqLogger: true,
    customAttributeKeys: { reqId: 'requestId' },
    genReqId: (request, response) => {
      const given = request.headers['x-request-id'];
      const id = trustsProxy && typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
      response.setHeader('X-Request-Id', id);
      return id;
    },
    wrapSerializers: false,
    serializers: { req: () => undefined, res: () => undefined },
    customLogLevel: (request, response, error) => levelOf(request as Request, response, error),
    customSuccessMessage: requestLine,
    customErrorMessage: requestLine,
    customSuccessObject: (request, response, value: object) => ({
      ...value,
      ...facts(request as Request, response),
    }),
    customErrorObject: (request, response, _error, value: object) => ({
      ...value,
      ...facts(request as Request, response),
    }),
  });
}

function levelOf(
  request: Request,
  response: ServerResponse,
  error?: Error,
): 'silent' | 'info' | 'warn' | 'error' {
  if (response.statusCode >= 500) return 'error';
  if (error !== undefined) return 'warn';
  return request.path === '/healthz' || request.path === '/readyz' ? 'silent' : 'info';
}

function requestLine(request: IncomingMessage, response: ServerResponse): string {
  return `${request.method ?? ''} ${pathOf(request as Request)} ${response.statusCode}`;
}

/** The path without the query, in which users write what they look for. */
function pathOf(request: Request): string {
  return (request.originalUrl.split('?', 1)[0] ?? '').slice(0, MAX_PATH);
}

function facts(request: Request, response: ServerResponse) {
  return {
    context: 'Http',
    method: request.method,
    path: pathOf(request),
    status: response.statusCode,
    client: request.ip,
    aborted: response.writableFinished ? undefined : true,
  };
}
