/**
 * Reads the files and fields of `multipart/form-data` into memory, within the limits, and lets JSON bodies
 * pass. Any other content type is refused here, so that handlers meet only these two.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import multer, { memoryStorage } from 'multer';
import type { Multer } from 'multer';
import type { Observable } from 'rxjs';
import type { Config } from '../config/config.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';

/** A file of a form. */
export interface UploadedFile {
  bytes: Buffer;
  /** The name that the client gave, without folders and control characters; null when it gave none. */
  fileName: string | null;
}

/** Longest field of a form, in bytes. A list of labels may come in one field. */
const MAX_FIELD_BYTES = 1024 * 1024;

@Injectable()
export class MultipartInterceptor implements NestInterceptor {
  private readonly parser: Multer;

  constructor(@Inject(CONFIG) private readonly config: Config) {
    this.parser = multer({
      storage: memoryStorage(),
      limits: {
        fileSize: config.MAX_IMAGE_BYTES,
        files: config.MAX_FILES,
        fields: config.MAX_LABELS + 100,
        fieldSize: MAX_FIELD_BYTES,
        fieldNameSize: 200,
      },
      // Names arrive as UTF-8 from browsers and curl.
      defParamCharset: 'utf8',
    });
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    if (request.is('multipart/form-data') !== false) {
      await this.parse(request, http.getResponse<Response>());
    } else if (request.is('application/json') === false) {
      throw new Problem(
        'unsupported_media_type',
        `Expected multipart/form-data or application/json, found ${request.headers['content-type'] ?? 'no content type'}.`,
      );
    }
    return next.handle();
  }

  private parse(request: Request, response: Response): Promise<void> {
    return new Promise((resolve, reject) => {
      this.limitBytes(request, reject);
      this.parser.any()(request, response, (error: unknown) => {
        if (error === undefined || error === null) resolve();
        else if (error instanceof multer.MulterError) reject(error);
        else {
          const reason = error instanceof Error ? error.message : 'unknown';
          reject(new Problem('malformed_body', `The form cannot be read: ${reason}.`, { cause: error }));
        }
      });
    });
  }

  /** A body without Content-Length passes the check of that header, so its bytes are counted as they come. */
  private limitBytes(request: Request, refuse: (problem: Problem) => void): void {
    let received = 0;
    request.on('data', (part: Buffer) => {
      received += part.length;
      if (received <= this.config.MAX_REQUEST_BYTES) return;
      request.removeAllListeners('data');
      request.unpipe();
      // The rest is read and dropped: a client that still sends would not see an answer.
      request.resume();
      refuse(
        new Problem('request_too_large', `The body has more than ${this.config.MAX_REQUEST_BYTES} bytes.`),
      );
    });
  }
}

/** True when the request is a form; its files are then in `request.files`. */
export function isForm(request: Request): boolean {
  return request.is('multipart/form-data') !== false;
}

/** The files of a form that came in one of `fields`; a file in another field is an error. */
export function formFiles(request: Request, fields: readonly string[]): UploadedFile[] {
  const files = Array.isArray(request.files) ? request.files : [];
  const stray = files.find(({ fieldname }) => !fields.includes(fieldname));
  if (stray !== undefined) {
    throw new Problem(
      'invalid_request',
      `A file came in the field ${stray.fieldname}; expected ${fields.join(' or ')}.`,
      {
        errors: [{ field: stray.fieldname, detail: `expected the field ${fields.join(' or ')}` }],
      },
    );
  }
  return files.map(({ buffer, originalname }) => ({ bytes: buffer, fileName: cleanFileName(originalname) }));
}

/** The one file of a form that takes exactly one. */
export function formFile(request: Request, field: string): UploadedFile {
  const files = formFiles(request, [field]);
  const [file] = files;
  if (file === undefined || files.length > 1) {
    throw new Problem('invalid_request', `Expected one file in the field ${field}, found ${files.length}.`, {
      errors: [{ field, detail: `expected one file, found ${files.length}` }],
    });
  }
  return file;
}

/** The last part of a path, printable, at most 255 characters; null when nothing is left. */
export function cleanFileName(name: string): string | null {
  const base = name.split(/[\\/]/).at(-1) ?? '';
  const printable = base.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').trim();
  return printable === '' ? null : printable.slice(0, 255);
}
