/**
 * The one error class of the API. Whatever is thrown elsewhere becomes a Problem before it is answered.
 */
import type { FieldError, ProblemBody, ProblemCode } from './catalogue.js';
import { PROBLEMS } from './catalogue.js';

interface ProblemDetails {
  errors?: readonly FieldError[];
  /** Seconds after which the client may try again (Retry-After). */
  retryAfter?: number;
  /** The lower-level error, for the log. */
  cause?: unknown;
}

/** Maximum number of field errors that one answer lists. */
const MAX_FIELD_ERRORS = 20;
/** Longest message, and longest name or path of the client's that an answer repeats, in characters. */
const MAX_DETAIL = 1000;
const MAX_ECHO = 200;

/** A text for an answer: cut, and without control characters and halves of characters that a client might send. */
function bounded(text: string, length: number): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replace(/[\p{Cc}\p{Surrogate}]/gu, '\ufffd');
}

/** An error with a code of the catalogue. `message` is the `detail` that the client reads. */
export class Problem extends Error {
  readonly errors?: readonly FieldError[];
  readonly retryAfter?: number;

  constructor(
    readonly code: ProblemCode,
    detail: string,
    details: ProblemDetails = {},
  ) {
    super(detail, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Problem';
    this.errors = details.errors;
    this.retryAfter = details.retryAfter;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /** The RFC 9457 body. @param path of the request @param basePath prefix of all paths of the service */
  toBody(path: string, basePath = ''): ProblemBody {
    return {
      type: `${basePath}/problems/${this.code}`,
      title: PROBLEMS[this.code].title,
      status: this.status,
      code: this.code,
      detail: bounded(this.message, MAX_DETAIL),
      instance: bounded(`${path === '' ? '' : basePath}${path}`, MAX_ECHO),
      ...(this.errors && {
        errors: this.errors.slice(0, MAX_FIELD_ERRORS).map(({ field, detail, ...rest }) => ({
          field: bounded(field, MAX_ECHO),
          detail: bounded(detail, MAX_DETAIL),
          ...rest,
        })),
      }),
    };
  }
}

/** A schema's report of one wrong part (https://standardschema.dev). */
interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[];
}

/** Zod's message for a field that is not there. */
const MISSING = /^Invalid input: expected \w+, received undefined$/;

/** The problem for input that a schema refuses; each issue names its field. */
export function invalidRequest(issues: readonly SchemaIssue[]): Problem {
  const errors = issues.slice(0, MAX_FIELD_ERRORS).map((issue) => ({
    field: (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
    detail: MISSING.test(issue.message) ? 'missing' : issue.message,
  }));
  const detail = errors
    .map(({ field, detail }) => (field === '' ? detail : `${field}: ${detail}`))
    .join('; ');
  return new Problem('invalid_request', detail, { errors });
}
