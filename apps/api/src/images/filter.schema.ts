/** What narrows a list of images or a search: one set of parameters, all of which must hold. */
import { z } from 'zod';
import { storableText, stringListSchema } from '../http/fields.js';

/** Most tags, and most collections, of one request. */
const MAX_VALUES = 20;

const valuesSchema = stringListSchema(MAX_VALUES)
  .pipe(z.array(storableText.min(1).max(1000)).max(MAX_VALUES))
  .optional();

/** A day, or a moment with its time zone. */
const timeSchema = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], {
    error: 'expected a day such as 2026-11-30, or a time such as 2026-11-30T12:00:00Z',
  })
  .optional();

export const filterFields = {
  tag: valuesSchema.describe('Only images that carry this tag; repeated: all of them. Also as `tag[]`'),
  notTag: valuesSchema.describe('No images that carry this tag; repeated: any of them. Also as `-tag`'),
  collection: valuesSchema.describe('Only images in the collection with this id; repeated: in all of them'),
  from: timeSchema.describe('Only images that were added at this time or later; a day begins in UTC'),
  to: timeSchema.describe('Only images that were added at this time or earlier; a day ends in UTC'),
};
export type FilterFields = { [Name in keyof typeof filterFields]?: z.infer<(typeof filterFields)[Name]> };

const DAY = 24 * 60 * 60 * 1000;

/** The times in milliseconds, both included. No image is older than 1970, and the database has no year 0. */
export function timesOf({ from, to }: FilterFields): { from?: number; to?: number } {
  const isDay = to?.includes('T') === false;
  return {
    ...(from !== undefined && { from: Math.max(0, Date.parse(from)) }),
    ...(to !== undefined && { to: Math.max(0, Date.parse(to) + (isDay ? DAY - 1 : 0)) }),
  };
}
