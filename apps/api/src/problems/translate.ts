/**
 * Turns whatever was thrown (by Nest, Express, the CLIP library, Prisma or a bug)
 * into a Problem of the catalogue.
 */
import { HttpException } from '@nestjs/common';
import { ClipError } from '@clip-ts/clip';
import type { ProblemCode } from './catalogue.js';
import { databaseUnavailable, storageFull } from './outages.js';
import { Problem } from './problem.js';

/** The problem that `error` stands for; anything unknown is an `internal_error` with the cause kept for the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ClipError) return fromClipError(error);
  if (error instanceof HttpException) return fromHttpException(error);
  return fromHttpError(error) ?? fromSystemError(error) ?? fromDatabaseError(error) ?? internalError(error);
}

function internalError(error: unknown): Problem {
  return new Problem(
    'internal_error',
    'The request could not be carried out. The log of the server says why.',
    {
      cause: error,
    },
  );
}

const CLIP_CODES: Partial<Record<ClipError['code'], ProblemCode>> = {
  IMAGE_TOO_LARGE: 'too_many_pixels',
  IMAGE_FORMAT_UNSUPPORTED: 'unsupported_image_format',
  IMAGE_UNREADABLE: 'undecodable_image',
  LABELS_INVALID: 'invalid_request',
  TEXT_INVALID: 'invalid_request',
};

function fromClipError(error: ClipError): Problem {
  const code = CLIP_CODES[error.code];
  return code === undefined ? internalError(error) : new Problem(code, error.message, { cause: error });
}

function fromHttpException(error: HttpException): Problem {
  const status = error.getStatus();
  if (error.cause !== undefined && error.cause !== error) {
    const inner = toProblem(error.cause);
    if (inner.code !== 'internal_error') return inner;
  }
  if (status === 404) return new Problem('route_not_found', error.message);
  return (
    fromHttpError(Object.assign(new Error(error.message), { status, type: bodyParserType(error) })) ??
    internalError(error)
  );
}

function bodyParserType(error: HttpException): string | undefined {
  return error.cause instanceof Error && 'type' in error.cause ? String(error.cause.type) : undefined;
}

/** Errors of the file system by their code (errno(3)), wherever in the chain of causes. */
function fromSystemError(error: unknown): Problem | undefined {
  for (
    let at: unknown = error, depth = 0;
    at instanceof Error && depth < MAX_CAUSES;
    at = at.cause, depth++
  ) {
    if (!('code' in at) || typeof at.code !== 'string' || !('syscall' in at)) continue;
    if (FULL.includes(at.code)) return storageFull(error);
    // Node reports a folder that cannot be made on a read-only disk as ENOENT.
    if (UNUSABLE.includes(at.code) || (at.code === 'ENOENT' && at.syscall === 'mkdir')) {
      return new Problem(
        'storage_unavailable',
        `The data folder of the server cannot be used (${at.code}). Nothing was stored.`,
        { cause: error, retryAfter: 30 },
      );
    }
  }
  return undefined;
}

const FULL = ['ENOSPC', 'EDQUOT'];
const UNUSABLE = ['EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE', 'ENFILE', 'ENOTDIR', 'ESTALE'];
const MAX_CAUSES = 8;

/**
 * Errors of Prisma by their code (https://www.prisma.io/docs/orm/reference/error-reference): P1… the database
 * cannot be reached, P2024 and P2028 no connection or no end within its time, P2034 a write conflict. What drivers
 * report comes as text: the SQLSTATE of PostgreSQL (classes 08, 53 and 57), or a message of pg or PGlite.
 */
function fromDatabaseError(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !isOfDatabase(error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'P2034') {
    return new Problem('conflict', 'Another change was made at the same time.', {
      cause: error,
      retryAfter: 1,
    });
  }
  const text = describe(error);
  if (/\b53100\b|No space left on device|ENOSPC|EDQUOT/.test(text)) return storageFull(error);
  const isAway = /^P1\d{3}$/.test(code) || ['P2024', 'P2028'].includes(code) || AWAY.test(text);
  return isAway ? databaseUnavailable(error) : undefined;
}

const AWAY = new RegExp(
  [
    '\\b(?:08\\d{3}|53300|57P0[1-5])\\b',
    'ECONN(?:REFUSED|RESET|ABORTED)|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|ENOTFOUND|EAI_AGAIN',
    'Connection terminated|Query read timeout|timeout exceeded when trying to connect|connection error',
    'DatabaseNotReachable|ConnectionClosed|SocketTimeout|TooManyConnections|not queryable',
    'PGlite (?:is closed|failed)|unreachable|Aborted\\(',
  ].join('|'),
);

function isOfDatabase(error: Error): boolean {
  return (
    /^(?:PrismaClient|DriverAdapter)/.test(error.name) ||
    /^P\d{4}$/.test('code' in error ? String(error.code) : '')
  );
}

/** Name, message and causes of an error, and what the driver's adapter adds to it, as one text. */
function describe(error: unknown, depth = 0): string {
  if (typeof error !== 'object' || error === null || depth > MAX_CAUSES) return String(error).slice(0, 2000);
  const { name, message, kind, originalCode, originalMessage, cause, meta } = error as Record<
    string,
    unknown
  >;
  const own = [name, message, kind, originalCode, originalMessage].filter((part) => typeof part === 'string');
  const inner = [cause, (meta as { driverAdapterError?: unknown } | undefined)?.driverAdapterError];
  return [
    ...own.map((part) => part.slice(0, 2000)),
    ...inner.filter((part) => part !== undefined).map((part) => describe(part, depth + 1)),
  ].join(' ');
}

/** Errors in the style of http-errors: `status`, and for body-parser `type`. */
function fromHttpError(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return undefined;
  if (error.status === 413) return new Problem('request_too_large', 'The body is larger than allowed.');
  if (error.status === 415) return new Problem('unsupported_media_type', error.message);
  if (error.status === 412)
    return new Problem('precondition_failed', 'The file is not the one that the request expects.');
  if (error.status === 416)
    return new Problem('range_not_satisfiable', 'The file has none of the bytes of the Range.');
  if (error.status === 400 && /decode param/.test(error.message))
    return new Problem('malformed_request', `${error.message}.`);
  if (error.status >= 400 && error.status < 500) return new Problem('malformed_body', `${error.message}.`);
  return undefined;
}
