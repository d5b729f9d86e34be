/**
 * Reads the bytes of a body within its limits and hands them on in blocks.
 *
 * Nothing is asked of the client before: `100 Continue` is sent here, so a refused request sends no body at all.
 * The bytes are counted in the budget as they come, and a body that stops arriving, or crawls, is cut off.
 */
import type { Request, Response } from 'express';
import { Problem } from '../../problems/problem.js';
import type { ByteLease } from './byte-budget.js';

/** Bytes are handed on in blocks of at least this many, so that a body in tiny pieces costs no more than one in large. */
const BLOCK = 64 * 1024;
/** A body that sends nothing for this long is cut off, in milliseconds. */
const SILENCE = 10_000;
/** From this time on (ms) a body must have arrived at `MIN_RATE` bytes a second on average. */
const GRACE = 10_000;
const MIN_RATE = 4 * 1024;
/** When room is short: a pause this long (ms), or a lower average rate than this, loses the room. */
const SHORT_SILENCE = 1000;
const SHORT_RATE = 64 * 1024;
/**
 * Each piece (a chunk of a chunked body) costs time of its own: above FREE_PIECES, pieces must hold this many bytes on
 * average.
 */
const FREE_PIECES = 4096;
const MIN_PIECE = 64;

interface ReadOptions {
  /** Maximum number of bytes of the body. */
  maxBytes: number;
  /** The account that the bytes are counted in. */
  lease: ByteLease;
  /** Bytes of memory that one byte of the body stands for. */
  weight: number;
  /** Takes the next block; what it throws ends the reading. A promise holds the client back. */
  onBlock: (block: Buffer) => Promise<void> | undefined;
}

/**
 * Reads the whole body. Resolves when the last block has been taken.
 * Throws request_too_large (also for a body in too many tiny chunks), unsupported_media_type (an encoded body), body_too_slow, overloaded, malformed_body
 * (the client went away), or what `onBlock` throws.
 */
export async function readBytes(request: Request, response: Response, options: ReadOptions): Promise<void> {
  const { maxBytes, lease, weight, onBlock } = options;
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new Problem('unsupported_media_type', 'Bodies are taken as they are, without Content-Encoding.');
  }
  const announced = request.headers['content-length'];
  if (announced !== undefined && Number(announced) > maxBytes) throw tooLarge(maxBytes);
  if (request.httpVersion !== '1.0' && /^100-continue$/i.test(request.headers.expect ?? ''))
    response.writeContinue();

  if (request.destroyed) throw goneAway();
  const pace = new Pace();
  const blocks = new Blocks(onBlock);
  const watch = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown) => {
        watch.abort();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const hold = (until: Promise<unknown>) => {
        request.pause();
        pace.waitFor(until).then(() => {
          if (!watch.signal.aborted) request.resume();
        }, fail);
      };
      // Not an iterator: a body of chunks of one byte would cost a round of promises for each.
      const onData = (piece: Buffer) => {
        try {
          pace.add(piece.length);
          if (pace.bytes > maxBytes) throw tooLarge(maxBytes);
          if (pace.pieces > FREE_PIECES && pace.bytes < pace.pieces * MIN_PIECE) throw tooManyPieces();
          const room = lease.take(piece.length * weight);
          const taken = room === undefined ? blocks.push(piece) : room.then(() => blocks.push(piece));
          if (taken !== undefined) hold(taken);
        } catch (error) {
          fail(error);
        }
      };
      const onClose = () => {
        if (!request.complete) fail(goneAway());
      };
      const timer = setInterval(() => {
        if (pace.isSlow(SILENCE, MIN_RATE, GRACE)) fail(tooSlow());
      }, 1000);
      lease.reader = {
        isSlow: () => pace.isSlow(SHORT_SILENCE, SHORT_RATE, SHORT_SILENCE),
        evict: () => fail(tooSlow()),
      };
      watch.signal.addEventListener('abort', () => {
        clearInterval(timer);
        request.pause();
        request.off('data', onData).off('end', resolve).off('error', onClose).off('close', onClose);
        lease.reader = undefined;
      });
      request.on('data', onData).on('end', resolve).on('error', onClose).on('close', onClose).resume();
    });
  } finally {
    watch.abort();
  }
  await blocks.end();
}

/** How fast a body arrives, without the time in which the service itself made it wait. */
class Pace {
  bytes = 0;
  pieces = 0;
  private start = performance.now();
  private last = this.start;
  private waiting = false;

  add(bytes: number): void {
    this.bytes += bytes;
    this.pieces++;
    this.last = performance.now();
  }

  /** Waits for something of the service's own; the time does not count. */
  async waitFor(promise: Promise<unknown>): Promise<void> {
    const from = performance.now();
    this.waiting = true;
    try {
      await promise;
    } finally {
      this.waiting = false;
      this.start += performance.now() - from;
      this.last = performance.now();
    }
  }

  /** Silent for `silence` ms, or slower than `rate` bytes a second on average after `grace` ms. */
  isSlow(silence: number, rate: number, grace: number): boolean {
    if (this.waiting) return false;
    const now = performance.now();
    const elapsed = now - this.start;
    return now - this.last >= silence || (elapsed > grace && this.bytes < (rate * elapsed) / 1000);
  }
}

/** Puts small pieces together. */
class Blocks {
  private pieces = Buffer.allocUnsafe(BLOCK);
  private length = 0;

  constructor(private readonly onBlock: (block: Buffer) => Promise<void> | undefined) {}

  push(piece: Buffer): Promise<void> | undefined {
    if (this.length + piece.length <= BLOCK) {
      piece.copy(this.pieces, this.length);
      this.length += piece.length;
      return undefined;
    }
    const flushed = this.flush();
    if (piece.length >= BLOCK / 2) {
      return flushed === undefined ? this.onBlock(piece) : flushed.then(() => this.onBlock(piece));
    }
    piece.copy(this.pieces);
    this.length = piece.length;
    return flushed;
  }

  async end(): Promise<void> {
    await this.flush();
  }

  private flush(): Promise<void> | undefined {
    if (this.length === 0) return undefined;
    const block = this.pieces.subarray(0, this.length);
    this.pieces = Buffer.allocUnsafe(BLOCK);
    this.length = 0;
    return this.onBlock(block);
  }
}

function tooLarge(maxBytes: number): Problem {
  return new Problem(
    'request_too_large',
    `The body has more than ${maxBytes} bytes, which is the most here.`,
  );
}

function tooManyPieces(): Problem {
  const detail = `The body comes in more than ${FREE_PIECES} chunks of less than ${MIN_PIECE} bytes. Send larger ones.`;
  return new Problem('request_too_large', detail);
}

function goneAway(): Problem {
  return new Problem('malformed_body', 'The connection closed before the body ended.');
}

function tooSlow(): Problem {
  return new Problem('body_too_slow', 'The body stopped arriving, or came too slowly. Send it again.');
}
