/** What narrows a list of images or a search: one set of parameters, all of which must hold. */
import { z } from 'zod';
import { storableText, stringListSchema } from '../http/fields.js';

/** Maximum number of tags, and of collections, of one request. */
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

/** A day, or a moment without a time zone: by the clock where the photo was taken. */
const localTimeSchema = z
  .union([z.iso.date(), z.iso.datetime({ local: true }).regex(/[^Z]$/)], {
    error: 'expected a day such as 2026-11-30, or a time without zone such as 2026-11-30T12:00:00',
  })
  .optional();

export const filterFields = {
  tag: valuesSchema.describe('Only images that carry this tag; repeated: all of them. Also as `tag[]`'),
  notTag: valuesSchema.describe('No images that carry this tag; repeated: any of them. Also as `-tag`'),
  collection: valuesSchema.describe('Only images in the collection with this id; repeated: in all of them'),
  from: timeSchema.describe('Only images that were added at this time or later; a day begins in UTC'),
  to: timeSchema.describe('Only images that were added at this time or earlier; a day ends in UTC'),
  takenFrom: localTimeSchema.describe(
    'Only images that were taken at this time or later, by the clock of the place; not those whose file gives no date',
  ),
  takenTo: localTimeSchema.describe(
    'Only images that were taken at this time or earlier, by the clock of the place; not those whose file gives no date',
  ),
};
export type FilterFields = { [Name in keyof typeof filterFields]?: z.infer<(typeof filterFields)[Name]> };

const DAY = 24 * 60 * 60 * 1000;

/** The database has no year 0. */
const YEAR_1 = Date.parse('0001-01-01');

/** Times in milliseconds, all included: when images were added, and when they were taken. */
export interface FilterTimes {
  from?: number;
  to?: number;
  takenFrom?: number;
  takenTo?: number;
}

export function timesOf({ from, to, takenFrom, takenTo }: FilterFields): FilterTimes {
  return {
    ...(from !== undefined && { from: startOf(from) }),
    ...(to !== undefined && { to: endOf(to) }),
    ...(takenFrom !== undefined && { takenFrom: startOf(asUtc(takenFrom)) }),
    ...(takenTo !== undefined && { takenTo: endOf(asUtc(takenTo)) }),
  };
}

const isDay = (time: string): boolean => !time.includes('T');
/** Local times are stored as if they were UTC. */
const asUtc = (time: string): string => (isDay(time) ? time : `${time}Z`);
const startOf = (time: string): number => Math.max(YEAR_1, Date.parse(time));
const endOf = (time: string): number => Math.max(YEAR_1, Date.parse(time) + (isDay(time) ? DAY - 1 : 0));
