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
/** A body that sends nothing for so long is cut off, in milliseconds. */
const SILENCE = 10_000;
/** From this time on (ms) a body must have arrived at `MIN_RATE` bytes a second on average. */
const GRACE = 10_000;
const MIN_RATE = 4 * 1024;
/** When room is short: a pause this long (ms), or a lower average rate than this, loses the room. */
const SHORT_SILENCE = 1000;
const SHORT_RATE = 64 * 1024;

interface ReadOptions {
  /** Most bytes of the body. */
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
 * Throws request_too_large, unsupported_media_type (an encoded body), body_too_slow, overloaded, malformed_body
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
  if (request.headers.expect !== undefined) response.writeContinue();

  const pace = new Pace();
  let cut: ((problem: Problem) => void) | undefined;
  const interrupted = new Promise<never>((_resolve, reject) => {
    cut = reject;
  });
  interrupted.catch(() => undefined);
  lease.reader = {
    isSlow: () => pace.isSlow(SHORT_SILENCE, SHORT_RATE, SHORT_SILENCE),
    evict: () => cut?.(tooSlow()),
  };
  const watch = setInterval(() => {
    if (pace.isSlow(SILENCE, MIN_RATE, GRACE)) cut?.(tooSlow());
  }, 1000);
  const onClose = () => {
    if (!request.complete)
      cut?.(new Problem('malformed_body', 'The connection closed before the body ended.'));
  };
  request.once('close', onClose);
  const blocks = new Blocks(onBlock);
  const iterator = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), interrupted]);
      if (next.done === true) break;
      pace.add(next.value.length);
      if (pace.bytes > maxBytes) throw tooLarge(maxBytes);
      const room = lease.take(next.value.length * weight);
      if (room !== undefined) await pace.waitFor(Promise.race([room, interrupted]));
      const taken = blocks.push(next.value);
      if (taken !== undefined) await pace.waitFor(Promise.race([taken, interrupted]));
    }
    await blocks.end();
  } finally {
    clearInterval(watch);
    request.off('close', onClose);
    lease.reader = undefined;
  }
}

/** How fast a body arrives, without the time in which the service itself made it wait. */
class Pace {
  bytes = 0;
  private start = performance.now();
  private last = this.start;
  private waiting = false;

  add(bytes: number): void {
    this.bytes += bytes;
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

function tooSlow(): Problem {
  return new Problem('body_too_slow', 'The body stopped arriving, or came too slowly. Send it again.');
}
