/** Reads a JSON body: bounded while it arrives, UTF-8 only, parsed once it is complete. */
import { isUtf8 } from 'node:buffer';
import type { Request, Response } from 'express';
import { Problem } from '../../problems/problem.js';
import type { ByteLease } from './byte-budget.js';
import { JsonScanner } from './json-scanner.js';
import type { JsonLimits } from './json-scanner.js';
import { readBytes } from './read-bytes.js';

/** What a route takes as JSON. */
export interface JsonBodyLimits extends JsonLimits {
  maxBytes: number;
}

/** Bytes of memory for one byte of JSON: the bytes, and the strings made of them. */
const JSON_WEIGHT = 2;

const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** The value of the body. Throws what {@link readBytes} throws, and malformed_body for what is not JSON in UTF-8. */
export async function readJson(
  request: Request,
  response: Response,
  lease: ByteLease,
  { maxBytes, ...limits }: JsonBodyLimits,
): Promise<unknown> {
  const scanner = new JsonScanner(limits);
  const blocks: Buffer[] = [];
  await readBytes(request, response, {
    maxBytes,
    lease,
    weight: JSON_WEIGHT,
    onBlock: (block) => {
      scanner.push(block);
      blocks.push(block);
      return undefined;
    },
  });
  return parse(Buffer.concat(blocks));
}

function parse(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new Problem('malformed_body', 'The body is not UTF-8.');
  const start = bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0;
  try {
    return JSON.parse(bytes.toString('utf8', start)) as unknown;
  } catch (error) {
    // The message quotes the text; its position is enough for the client.
    const position = /position \d+/.exec(error instanceof Error ? error.message : '')?.[0];
    const where = position === undefined ? '' : ` (at ${position})`;
    throw new Problem('malformed_body', `The body is not JSON${where}.`, { cause: error });
  }
}
