/**
 * The errors of this library: one class, a small catalogue of stable codes.
 * Each says what happened, for which kernel, shapes and dtypes, and what to do about it.
 */

export type EngineErrorCode =
  | 'UNSUPPORTED_KERNEL'
  | 'UNSUPPORTED_DTYPE'
  | 'UNSUPPORTED_ARGUMENT'
  | 'SHAPE_MISMATCH'
  | 'SESSION_CREATE_FAILED'
  | 'SESSION_RUN_FAILED'
  | 'READ_DURING_TRACE'
  | 'UNKNOWN_TENSOR'
  | 'DISPOSED'
  | 'BAD_STATE'
  | 'BAD_INPUT'
  | 'DYNAMIC_AXIS'
  | 'MODEL_TOO_LARGE'
  | 'NON_FINITE'
  | 'DEVICE_UNAVAILABLE';

/** What an error knows beside its message. */
export interface EngineErrorDetails {
  /** TensorFlow.js kernel or ONNX op that the error is about. */
  kernel?: string;
  shapes?: readonly (readonly number[])[];
  dtypes?: readonly string[];
  /** What the caller can do. */
  hint?: string;
  cause?: unknown;
}

/** An error of the backend. `code` is stable across versions; the message is for people. */
export class EngineError extends Error {
  readonly code: EngineErrorCode;
  readonly kernel?: string;
  readonly shapes?: readonly (readonly number[])[];
  readonly dtypes?: readonly string[];
  readonly hint?: string;

  constructor(code: EngineErrorCode, message: string, details: EngineErrorDetails = {}) {
    super(describe(message, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'EngineError';
    this.code = code;
    this.kernel = details.kernel;
    this.shapes = details.shapes;
    this.dtypes = details.dtypes;
    this.hint = details.hint;
  }
}

function describe(message: string, { kernel, shapes, dtypes, hint }: EngineErrorDetails): string {
  const operands = shapes?.map((shape, i) => `${dtypes?.[i] ?? ''}[${shape.join(',')}]`).join(', ');
  const where = kernel ? `${kernel}${operands === undefined ? '' : `(${operands})`}: ` : '';
  return `${where}${message}${hint ? ` ${hint}` : ''}`;
}
