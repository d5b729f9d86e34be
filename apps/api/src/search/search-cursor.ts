/**
 * Where a page of a search ended, so that the next one continues there whatever is added or deleted meanwhile.
 *
 * A page that a graph answered is in no strict order of scores with what it left out, so its images are named; from then
 * on all others follow in exact order, after the score and key of the last one. Images that came later have larger keys.
 */
import { Problem } from '../problems/problem.js';
import type { Place } from '../vector-index/shard/ranking.js';

export interface SearchCursor {
  /** Hash of the model whose scores these are. */
  model: string;
  /** Images with larger keys came after the first page. */
  largestKey: number;
  /** Keys of the first page's images, where a graph chose them. */
  shown: readonly number[];
  /** The last image; absent: nothing but what was shown. */
  after?: Place;
}

const VERSION = 1;
const MODEL_BYTES = 8;
/** Version, model, largest key, whether there is a place, its score and its key. */
const HEAD = 1 + MODEL_BYTES + 4 + 1 + 4 + 4;
/** Maximum number of images of a first page. */
const MOST_SHOWN = 100;
/** Characters of the longest cursor: its head and so many keys in base64. */
export const LONGEST_CURSOR = Math.ceil(((HEAD + 4 * MOST_SHOWN) * 4) / 3) + 4;

/** A page as the index gave it. */
interface Page {
  matches: readonly Place[];
  /** No graph chose its images. */
  exact: boolean;
  largestKey: number;
}

/**
 * Where the page after a page of up to `limit` images begins; null when there is none.
 * @param before where that page began
 */
export function cursorAfter(
  { matches, exact, largestKey }: Page,
  limit: number,
  model: string,
  before: SearchCursor | undefined,
): string | null {
  const after = matches.at(-1);
  if (after === undefined || matches.length < limit) return null;
  if (before !== undefined) return writeCursor({ ...before, after });
  if (exact) return writeCursor({ model, largestKey, shown: [], after });
  return writeCursor({ model, largestKey, shown: matches.map(({ key }) => key) });
}

function writeCursor({ model, largestKey, shown, after }: SearchCursor): string {
  const bytes = Buffer.alloc(HEAD + 4 * shown.length);
  bytes.writeUInt8(VERSION, 0);
  bytes.write(model.slice(0, 2 * MODEL_BYTES), 1, 'hex');
  bytes.writeUInt32LE(largestKey, 1 + MODEL_BYTES);
  if (after !== undefined) {
    bytes.writeUInt8(1, HEAD - 9);
    bytes.writeFloatLE(after.score, HEAD - 8);
    bytes.writeUInt32LE(after.key, HEAD - 4);
  }
  shown.forEach((key, n) => bytes.writeUInt32LE(key, HEAD + 4 * n));
  return bytes.toString('base64url');
}

/**
 * What {@link cursorAfter} gave. Throws invalid_request for anything else, and for the cursor of another model than
 * answers, whose scores do not compare.
 */
export function readCursor(text: string, model: string): SearchCursor {
  const bytes = Buffer.from(text, 'base64url');
  const isWhole =
    bytes.length >= HEAD &&
    (bytes.length - HEAD) % 4 === 0 &&
    bytes[0] === VERSION &&
    bytes.toString('base64url') === text;
  if (!isWhole || !Number.isFinite(bytes.readFloatLE(HEAD - 8))) {
    throw refused('expected the nextCursor of a page');
  }
  if (bytes.toString('hex', 1, 1 + MODEL_BYTES) !== model.slice(0, 2 * MODEL_BYTES)) {
    throw refused('another model answers since that page; search anew');
  }
  const shown = Array.from({ length: (bytes.length - HEAD) / 4 }, (_, n) => bytes.readUInt32LE(HEAD + 4 * n));
  const place = { score: bytes.readFloatLE(HEAD - 8), key: bytes.readUInt32LE(HEAD - 4) };
  return {
    model,
    largestKey: bytes.readUInt32LE(1 + MODEL_BYTES),
    shown,
    ...(bytes[HEAD - 9] === 1 && { after: place }),
  };
}

const refused = (detail: string) =>
  new Problem('invalid_request', `cursor: ${detail}`, { errors: [{ field: 'cursor', detail }] });
