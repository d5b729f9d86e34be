/**
 * The error catalogue of this package: one class, stable codes.
 *
 * A code is part of the public contract: programs branch on it, so it never changes its meaning.
 * The text says what happened, what was expected, what was found and what to do.
 */

/** Every code that this package throws, with what it means. */
export const CLIP_ERROR_CODES = {
  CHECKPOINT_NOT_FOUND: 'the folder of a checkpoint, or a file that it must have, is not there',
  CHECKPOINT_INVALID: 'a file of a checkpoint does not hold what the layout asks for',
  CONFIG_INVALID: 'a field of a configuration file is missing, unknown or out of range',
  MODEL_UNSUPPORTED: 'a configuration names an architecture or option that is not implemented',
  WEIGHTS_MISMATCH: 'the tensors of a file are not the tensors of the model',
  SAFETENSORS_INVALID: 'a file is not a well-formed safetensors file',
  SAFETENSORS_TENSOR_NOT_FOUND: 'a safetensors file has no tensor of that name',
  TOKENIZER_INVALID: 'the files of a tokenizer are missing or cannot be used',
  TEXT_INVALID: 'a text to encode is not a string, or the request for its length cannot be met',
  IMAGE_TOO_LARGE: 'an image has more bytes or more pixels than allowed',
  IMAGE_FORMAT_UNSUPPORTED: 'the bytes are not an image of an allowed format',
  IMAGE_UNREADABLE: 'an image file is truncated or damaged, or cannot be opened',
  LABELS_INVALID: 'candidate labels, or a parameter of their ranking, are out of range',
  ONNX_INVALID: 'an ONNX model cannot be loaded or lacks the inputs or outputs of its role',
  DATASET_NOT_FOUND: 'there is no dataset at a path',
  DATASET_INVALID: 'a file of a dataset is not in the format that it should have',
  FOLDER_IN_USE: 'another running process holds the lock of a folder',
  HUB_ID_INVALID: 'a string is neither a folder nor a well-formed hub id',
  HUB_NOT_FOUND: 'the hub has no such repository, revision or file, or it is not public',
  HUB_UNAUTHORIZED: 'the hub refuses access with the given token',
  HUB_UNREACHABLE: 'the hub cannot be reached, or offline mode is set and the file is not cached',
  HUB_CACHE_UNWRITABLE: 'a file of a model is not in the cache of the hub, which cannot be written',
  HUB_CORRUPT: 'a downloaded file does not have the size or checksum that the hub states',
  HUB_PICKLE_ONLY: 'a repository has its weights in pickle form only, which can run code when opened',
} as const;

/** A stable error code; the keys of {@link CLIP_ERROR_CODES}. */
export type ClipErrorCode = keyof typeof CLIP_ERROR_CODES;

/** The parts of an error's text besides what happened. */
export interface ClipErrorDetails {
  /** What would have been right. */
  expected?: string;
  /** What was there instead. */
  found?: string;
  /** What the reader can do about it. */
  hint?: string;
  /** The lower-level error, for logs. */
  cause?: unknown;
}

/**
 * An error that a user may see. `message` is the whole text on one line:
 * what happened, then expected, found and the hint when given.
 */
export class ClipError extends Error {
  readonly code: ClipErrorCode;
  readonly expected?: string;
  readonly found?: string;
  readonly hint?: string;

  constructor(code: ClipErrorCode, message: string, details: ClipErrorDetails = {}) {
    super(
      composeMessage(message, details),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = 'ClipError';
    this.code = code;
    this.expected = details.expected;
    this.found = details.found;
    this.hint = details.hint;
  }
}

function composeMessage(message: string, { expected, found, hint }: ClipErrorDetails): string {
  const facts = [
    expected === undefined ? undefined : `expected ${expected}`,
    found === undefined ? undefined : `found ${found}`,
  ].filter((fact) => fact !== undefined);
  const sentence = facts.length > 0 ? `${message}: ${facts.join(', ')}` : message;
  return hint === undefined ? sentence : `${sentence}. ${hint}`;
}

/** True when `error` is a failure of the file system with this code, e.g. `ENOENT`. */
export function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
