/** Answers a request with a file, whole or by range, without holding it in memory. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { Problem } from '../problems/problem.js';
import { lengthOf } from '../image-file/strip/parts.js';
import type { Part } from '../image-file/strip/parts.js';

/** Parts of the file at `path`, one after the other. */
export interface ServedFile {
  path: string;
  parts: readonly Part[];
}

/**
 * Sends the parts with Content-Length, ranges (RFC 9110, section 14) and conditions. The headers that describe the
 * content, ETag among them, are set before.
 */
export async function sendParts(request: Request, response: Response, file: ServedFile): Promise<void> {
  const total = file.parts.reduce((sum, part) => sum + lengthOf(part), 0);
  // Middleware, logs and the pipeline listen for the end of one answer; Node takes more than ten for a leak.
  response.setMaxListeners(20);
  demandMatch(request, response);
  response.setHeader('Accept-Ranges', 'bytes');
  if (request.fresh) {
    response.status(304).end();
    return;
  }
  const range = requestedRange(request, response, total);
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${total}`);
    response.removeHeader('Content-Type');
    response.status(416).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: total };
  if (range !== undefined) {
    response.status(206);
    response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${total}`);
  }
  response.setHeader('Content-Length', end - start);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  await pipeline(Readable.from(readParts(file, start, end)), response).catch((error: unknown) => {
    // The client has gone, or the file has: the headers are sent, so that only the connection can tell.
    if (!response.destroyed) response.destroy();
    if (!isDisconnect(error)) throw error;
  });
}

/**
 * Refuses what asks for another file (RFC 9110, section 13.1.1): the comparison is a strong one. If-Unmodified-Since is
 * left aside, as it is for anything that has no Last-Modified.
 */
function demandMatch(request: Request, response: Response): void {
  const expected = request.headers['if-match'];
  if (expected === undefined || expected.trim() === '*') return;
  const tag = response.get('etag');
  if (expected.split(',').some((one) => one.trim() === tag)) return;
  for (const name of ['Cache-Control', 'Content-Disposition', 'ETag']) response.removeHeader(name);
  throw new Problem('precondition_failed', 'The file is not the one that If-Match expects.');
}

/** The one range that was asked for; undefined for the whole file, also when several or none that makes sense were. */
function requestedRange(
  request: Request,
  response: Response,
  total: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const condition = request.get('if-range');
  if (condition !== undefined && condition !== response.get('etag')) return undefined;
  const ranges = request.range(total, { combine: true });
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === undefined || ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1)
    return undefined;
  const [range] = ranges;
  return range && { start: range.start, end: range.end + 1 };
}

async function* readParts({ path, parts }: ServedFile, from: number, to: number): AsyncGenerator<Buffer> {
  let position = 0;
  for (const part of parts) {
    const length = lengthOf(part);
    const start = Math.max(0, from - position);
    const end = Math.min(length, to - position);
    position += length;
    if (start >= end) continue;
    if (Buffer.isBuffer(part)) yield part.subarray(start, end);
    else
      yield* createReadStream(path, {
        start: part.start + start,
        end: part.start + end - 1,
      }) as AsyncIterable<Buffer>;
  }
}

function isDisconnect(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
