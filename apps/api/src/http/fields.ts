/** Fields that several routes share: pages, texts that the database can hold, lists of strings. */
import { z } from 'zod';

/** `limit` of a paged list. */
export const limitSchema = (fallback: number) => z.coerce.number().int().min(1).max(100).default(fallback);
/** `offset` of a paged list. */
export const offsetSchema = z.coerce.number().int().min(0).max(1_000_000_000).default(0);

/** A text that the database can hold: PostgreSQL has no NUL character. */
export const storableText = z.string().regex(/^[^\0]*$/, 'expected a text without NUL characters');

/** A field that may come once, several times, or as a JSON array in one value. */
export const stringListSchema = z.preprocess(
  (value) => {
    if (typeof value !== 'string') return value;
    if (!value.trimStart().startsWith('[')) return [value];
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value;
    }
  },
  z.array(z.string(), 'expected strings, or one JSON array of strings'),
);
