/**
 * Turns whatever was thrown (by Nest, Express, the CLIP library, Prisma or a bug)
 * into a Problem of the catalogue.
 */
import { HttpException } from '@nestjs/common';
import { ClipError } from '@clip-ts/clip';
import type { ProblemCode } from './catalogue.js';
import { Problem } from './problem.js';

/** The problem that `error` stands for; anything unknown is an `internal_error` with the cause kept for the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ClipError) return fromClipError(error);
  if (error instanceof HttpException) return fromHttpException(error);
  return fromHttpError(error) ?? fromDatabaseError(error) ?? internalError(error);
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

/**
 * Errors of Prisma by their code (https://www.prisma.io/docs/orm/reference/error-reference): P1… the database
 * cannot be reached, P2024 and P2028 too much waits for it, P2034 a write conflict.
 */
function fromDatabaseError(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const options = { cause: error, retryAfter: 1 };
  if (/^P1\d{3}$/.test(error.code))
    return new Problem('not_ready', 'The database cannot be reached.', options);
  if (['P2024', 'P2028'].includes(error.code)) {
    return new Problem('overloaded', 'Too many requests wait for the database.', options);
  }
  if (error.code === 'P2034')
    return new Problem('conflict', 'A change made at the same time was first.', options);
  return undefined;
}

/** Errors in the style of http-errors: `status`, and for body-parser `type`. */
function fromHttpError(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return undefined;
  if (error.status === 413) return new Problem('request_too_large', 'The body is larger than allowed.');
  if (error.status === 415) return new Problem('unsupported_media_type', error.message);
  if (error.status >= 400 && error.status < 500) return new Problem('malformed_body', `${error.message}.`);
  return undefined;
}
