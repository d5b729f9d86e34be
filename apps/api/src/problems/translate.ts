/**
 * Turns whatever was thrown (by Nest, Express, body-parser, multer, the CLIP library, Prisma or a bug)
 * into a Problem of the catalogue.
 */
import { HttpException } from '@nestjs/common';
import { ClipError } from '@clip-ts/clip';
import { MulterError } from 'multer';
import type { ProblemCode } from './catalogue.js';
import { Problem } from './problem.js';

/** The problem that `error` stands for; anything unknown is an `internal_error` with the cause kept for the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ClipError) return fromClipError(error);
  if (error instanceof MulterError) return fromMulterError(error);
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

/** multer's limits; see `Object.keys(errorMessages)` in its make-error. */
function fromMulterError(error: MulterError): Problem {
  const at = error.field === undefined ? '' : ` (field ${error.field})`;
  switch (error.code) {
    case 'LIMIT_FILE_SIZE':
      return new Problem('image_too_large', `A file is larger than MAX_IMAGE_BYTES allows${at}.`);
    case 'LIMIT_FILE_COUNT':
      return new Problem('too_many_files', 'There are more files than MAX_FILES allows.');
    case 'LIMIT_UNEXPECTED_FILE':
      return new Problem(
        'invalid_request',
        `A file came in a field that takes none, or too many in it${at}.`,
      );
    case 'LIMIT_FIELD_VALUE':
    case 'LIMIT_FIELD_KEY':
    case 'LIMIT_FIELD_COUNT':
    case 'LIMIT_PART_COUNT':
      return new Problem('request_too_large', `The form has too many or too long fields${at}.`);
    default:
      return new Problem('malformed_body', `The form cannot be read: ${error.message}${at}.`);
  }
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
