/**
 * Bounds a JSON text while its bytes arrive, before any of it is parsed: how deep it nests, how many values and
 * keys it holds, how long a number may be. One pass, constant work a byte. What it lets pass may still be
 * malformed: `JSON.parse` decides that.
 */
import { Problem } from '../../problems/problem.js';

export interface JsonLimits {
  /** Arrays and objects within each other. */
  maxDepth?: number;
  /** Strings, numbers, literals, keys, arrays and objects in all. */
  maxValues: number;
}

const DEFAULT_DEPTH = 16;
/** Longest number or literal, in characters. JSON.stringify writes at most 25. */
const MAX_SCALAR = 400;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What a byte outside of a string means. */
const enum Kind {
  Scalar,
  Space,
  Open,
  Close,
  Separator,
  Quote,
}
const KINDS = new Uint8Array(256).fill(Kind.Scalar);
for (const char of ' \t\n\r') KINDS[char.charCodeAt(0)] = Kind.Space;
for (const char of '[{') KINDS[char.charCodeAt(0)] = Kind.Open;
for (const char of ']}') KINDS[char.charCodeAt(0)] = Kind.Close;
for (const char of ',:') KINDS[char.charCodeAt(0)] = Kind.Separator;
KINDS[QUOTE] = Kind.Quote;

export class JsonScanner {
  private readonly maxDepth: number;
  private readonly maxValues: number;
  private depth = 0;
  private values = 0;
  private scalar = 0;
  private inString = false;
  private escaped = false;

  constructor({ maxDepth = DEFAULT_DEPTH, maxValues }: JsonLimits) {
    this.maxDepth = maxDepth;
    this.maxValues = maxValues;
  }

  /** Takes the next bytes. Throws `request_too_large` or, for the depth, `invalid_request` as soon as a limit is passed. */
  push(bytes: Uint8Array): void {
    const length = bytes.length;
    for (let i = 0; i < length; i++) {
      const byte = bytes[i]!;
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) this.inString = false;
        continue;
      }
      switch (KINDS[byte]) {
        case Kind.Scalar:
          if (this.scalar++ === 0) this.count();
          else if (this.scalar > MAX_SCALAR) {
            throw tooLarge(`a number or word of more than ${MAX_SCALAR} characters`);
          }
          continue;
        case Kind.Quote:
          this.inString = true;
          this.count();
          break;
        case Kind.Open:
          this.count();
          if (++this.depth > this.maxDepth) {
            const detail = `The JSON nests more than ${this.maxDepth} arrays and objects within each other.`;
            throw new Problem('invalid_request', detail);
          }
          break;
        case Kind.Close:
          this.depth--;
          break;
        default:
      }
      this.scalar = 0;
    }
  }

  private count(): void {
    if (++this.values > this.maxValues) {
      throw tooLarge(`more than the ${this.maxValues} values and keys that are accepted here`);
    }
  }
}

/** Parses JSON text within limits. Throws `request_too_large` or, for what is not JSON, a SyntaxError. */
export function parseBounded(text: string, limits: JsonLimits): unknown {
  new JsonScanner(limits).push(Buffer.from(text));
  return JSON.parse(text) as unknown;
}

function tooLarge(what: string): Problem {
  return new Problem('request_too_large', `The JSON holds ${what}.`);
}
