/**
 * Reads `multipart/form-data` (RFC 7578) into a flat list of fields and files, within limits that hold while it
 * arrives. A field's name is text and nothing more: `labels[3]` or `a.b` builds no structure and is refused,
 * only `name[]`, which many clients write for a repeated field, stands for `name`.
 */
import busboy from 'busboy';
import type { Request, Response } from 'express';
import { Problem } from '../../problems/problem.js';
import type { ByteLease } from './byte-budget.js';
import { cleanFileName } from './file-name.js';
import { PartCounter } from './part-counter.js';
import { readBytes } from './read-bytes.js';

/** A file of a form. */
export interface UploadedFile {
  bytes: Buffer;
  /** The name that the client gave, without folders and control characters; null when it gave none. */
  fileName: string | null;
}

/** A form that has been read. */
export interface Form {
  /** Each field once when it came once, as an array when it came several times; without a prototype. */
  values: Readonly<Record<string, string | string[]>>;
  files: readonly UploadedFile[];
}

/** What a route takes as a form. */
export interface FormLimits {
  maxBytes: number;
  /** Fields with text, by name. */
  fields: readonly string[];
  /** Fields in all, repeated ones counted each time. */
  maxFields: number;
  /** Fields with files, by name. */
  files: readonly string[];
  maxFiles: number;
  maxFileBytes: number;
}

/** Longest value of a field, in bytes. A list of labels may come in one field. */
const MAX_VALUE = 1024 * 1024;
/** Longest name of a field, in bytes. */
const MAX_NAME = 100;
/** Text of all fields together, in bytes. */
const MAX_TEXT = 8 * 1024 * 1024;

/** Throws what {@link readBytes} throws, and malformed_body, invalid_request, image_too_large, too_many_files. */
export async function readForm(
  request: Request,
  response: Response,
  lease: ByteLease,
  limits: FormLimits,
): Promise<Form> {
  const collector = new FormCollector(limits);
  const parser = openParser(request, limits, collector);
  const parts = new PartCounter(request.headers['content-type'] ?? '');
  try {
    await readBytes(request, response, {
      maxBytes: limits.maxBytes,
      lease,
      weight: 1,
      onBlock: (block) => {
        parts.push(block);
        const ready = parser.write(block);
        if (collector.problem !== undefined) throw collector.problem;
        return ready ? undefined : drained(parser, collector);
      },
    });
    await ended(parser, collector);
    // The parser passes over parts that it cannot read, as if they had not been sent.
    if (parts.count > collector.parts) throw passedOver(parts.count - collector.parts);
    return collector.form();
  } finally {
    parser.destroy();
  }
}

type Parser = busboy.Busboy;

function openParser(request: Request, limits: FormLimits, collector: FormCollector): Parser {
  let parser: Parser;
  try {
    parser = busboy({
      headers: { 'content-type': request.headers['content-type'] },
      // Names arrive as UTF-8 from browsers and curl.
      defParamCharset: 'utf8',
      // One more than allowed, so that what is over is seen and refused instead of cut.
      limits: {
        fieldNameSize: MAX_NAME + 1,
        fieldSize: MAX_VALUE + 1,
        fields: limits.maxFields + 1,
        fileSize: limits.maxFileBytes + 1,
        files: limits.maxFiles + 1,
        parts: limits.maxFields + limits.maxFiles + 1,
      },
    });
  } catch (error) {
    throw unreadable(error);
  }
  parser.on('file', (name, stream, { filename, mimeType, encoding }) => {
    // The parser emits on its streams when it is destroyed half-way.
    stream.on('error', () => undefined);
    const file = collector.check(() => {
      requirePlain(name, encoding);
      return collector.startFile(name, filename, mimeType);
    });
    stream.on('data', (bytes: Buffer) => collector.check(() => file?.add(bytes)));
    stream.on('end', () => file?.end());
  });
  parser.on('field', (name, value, { mimeType, encoding }) => {
    collector.check(() => {
      requirePlain(name, encoding);
      collector.addField(name, value, mimeType);
    });
  });
  parser.on('partsLimit', () => collector.check(() => tooManyParts(limits)));
  parser.on('error', (error) => {
    collector.problem ??= unreadable(error);
  });
  return parser;
}

/** Keeps what the parser finds, and the first problem with it. */
class FormCollector {
  problem: Problem | undefined;
  /** Parts that the parser has handed over. */
  parts = 0;
  private readonly values = Object.create(null) as Record<string, string | string[]>;
  private readonly files: FileCollector[] = [];
  private fieldCount = 0;
  private textBytes = 0;

  constructor(private readonly limits: FormLimits) {}

  /** Runs a step unless there is a problem already; what it throws becomes the problem. */
  check<T>(step: () => T): T | undefined {
    if (this.problem !== undefined) return undefined;
    try {
      return step();
    } catch (error) {
      this.problem = error instanceof Problem ? error : unreadable(error);
      return undefined;
    }
  }

  addField(rawName: string | undefined, value: string, mediaType: string): void {
    this.parts++;
    const { fields, files, maxFields } = this.limits;
    const name = plainName(rawName, [...fields, ...files]);
    if (mediaType.startsWith('multipart/'))
      throw invalid(name, 'expected text, found a form within the form');
    if (files.includes(name)) throw invalid(name, 'expected a file, found text; send it with a file name');
    if (++this.fieldCount > maxFields) {
      throw new Problem('request_too_large', `The form has more than ${maxFields} fields, the most here.`);
    }
    const bytes = Buffer.byteLength(value);
    if (bytes > MAX_VALUE) throw fieldTooLong(name);
    this.textBytes += bytes;
    if (this.textBytes > MAX_TEXT) {
      throw new Problem(
        'request_too_large',
        `The fields of the form have more than ${MAX_TEXT} bytes in all.`,
      );
    }
    const before = this.values[name];
    if (before === undefined) this.values[name] = value;
    else if (typeof before === 'string') this.values[name] = [before, value];
    else before.push(value);
  }

  startFile(rawName: string | undefined, fileName: string | undefined, mediaType: string): FileCollector {
    this.parts++;
    const { fields, files, maxFiles, maxFileBytes } = this.limits;
    const name = plainName(rawName, [...files, ...fields]);
    if (!files.includes(name)) {
      throw invalid(
        name,
        `a file came in a field for text; expected it in ${files.join(' or ') || 'no field'}`,
      );
    }
    if (mediaType.startsWith('multipart/'))
      throw invalid(name, 'expected a file, found a form within the form');
    if (this.files.length >= maxFiles) {
      if (maxFiles === 1) throw invalid(name, 'expected one file, found more');
      throw new Problem('too_many_files', `There are more than ${maxFiles} files, the most in one request.`);
    }
    const file = new FileCollector(fileName === undefined ? null : cleanFileName(fileName), maxFileBytes);
    this.files.push(file);
    return file;
  }

  form(): Form {
    const files = this.files.map(({ fileName, pieces }) => ({
      bytes: pieces[0] ?? Buffer.alloc(0),
      fileName,
    }));
    return { values: this.values, files };
  }
}

/** The pieces of one file. The next file may begin before this one's stream has ended. */
class FileCollector {
  readonly pieces: Buffer[] = [];
  private size = 0;

  constructor(
    readonly fileName: string | null,
    private readonly maxBytes: number,
  ) {}

  add(bytes: Buffer): void {
    this.size += bytes.length;
    if (this.size > this.maxBytes) {
      const detail = `A file has more than ${this.maxBytes} bytes, the most that are accepted.`;
      throw new Problem('image_too_large', detail);
    }
    this.pieces.push(bytes);
  }

  /** Puts the pieces together, in memory of its own. */
  end(): void {
    this.pieces.splice(0, Infinity, Buffer.concat(this.pieces, this.size));
  }
}

/** The name of a field, `name[]` read as `name`. Throws for one that the route does not know. */
function plainName(given: string | undefined, known: readonly string[]): string {
  const name = given?.endsWith('[]') === true ? given.slice(0, -2) : (given ?? '');
  if (known.includes(name)) return name;
  if (name === '') throw invalid('', 'a part of the form has no name');
  const structured = /[[\].]/.test(name);
  const hint = structured ? ' A field that comes several times is repeated under its plain name.' : '';
  throw invalid(name, `there is no such field; expected ${known.join(', ')}.${hint}`);
}

function invalid(field: string, detail: string): Problem {
  const message = field === '' ? detail : `${field.slice(0, MAX_NAME)}: ${detail}`;
  return new Problem('invalid_request', message, { errors: [{ field: field.slice(0, MAX_NAME), detail }] });
}

function fieldTooLong(name: string): Problem {
  return new Problem('request_too_large', `The field ${name} has more than ${MAX_VALUE} bytes.`);
}

function tooManyParts({ maxFields, maxFiles }: FormLimits): never {
  const detail = `The form has more than ${maxFields + maxFiles} parts, the most here.`;
  throw new Problem('request_too_large', detail);
}

/** The parser's messages about a form. Others are about its internals. */
const KNOWN_REASONS = [
  'Malformed content type',
  'Malformed part header',
  'Multipart: Boundary not found',
  'Unexpected end of form',
];

function unreadable(error: unknown): Problem {
  const message = error instanceof Error ? error.message : '';
  const reason = KNOWN_REASONS.includes(message)
    ? message
    : 'A part has a character set or another parameter that is not known';
  return new Problem('malformed_body', `The form cannot be read: ${reason}.`, { cause: error });
}

function passedOver(count: number): Problem {
  const detail = `Parts of the form without a Content-Disposition: form-data that can be read: ${count}.`;
  return new Problem('malformed_body', detail);
}

/** Parts come as they are (RFC 7578, section 4.7); text in base64 would be taken for the value itself. */
function requirePlain(name: string | undefined, encoding: string): void {
  if (['7bit', '8bit', 'binary'].includes(encoding.toLowerCase())) return;
  const detail = `The part ${name ?? ''} has a Content-Transfer-Encoding; parts are taken as they are.`;
  throw new Problem('unsupported_media_type', detail);
}

function drained(parser: Parser, collector: FormCollector): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      parser.off('drain', done).off('close', done);
      if (collector.problem === undefined) resolve();
      else reject(collector.problem);
    };
    parser.on('drain', done).on('close', done);
  });
}

/** Resolves when every part has been taken. */
function ended(parser: Parser, collector: FormCollector): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.once('close', () => {
      if (collector.problem === undefined) resolve();
      else reject(collector.problem);
    });
    parser.end();
  });
}
