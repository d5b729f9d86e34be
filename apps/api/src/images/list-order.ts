/** The orders in which images are listed, and where a page of one ends. Images without a date of taking come last. */
import type { Prisma } from '../generated/prisma/client.js';

export const ORDERS = ['newest', 'oldest', 'takenNewest', 'takenOldest'] as const;
export type ListOrder = (typeof ORDERS)[number];

/** What of an image decides its place. */
interface Placed {
  key: number;
  takenAt: Date | null;
}

const isByTaking = (order: ListOrder) => order === 'takenNewest' || order === 'takenOldest';
const isDescending = (order: ListOrder) => order === 'newest' || order === 'takenNewest';

/** The order for the database: keys grow with the time of adding, and no two images share one. */
export function orderOf(order: ListOrder): Prisma.ImageOrderByWithRelationInput[] {
  const sort = isDescending(order) ? 'desc' : 'asc';
  return [...(isByTaking(order) ? [{ takenAt: { sort, nulls: 'last' } as const }] : []), { key: sort }];
}

/** Where the page after this image begins: its key, and in orders by taking its time in milliseconds, which may be absent. */
export function cursorAfter({ key, takenAt }: Placed, order: ListOrder): string {
  return isByTaking(order) ? `${key}.${takenAt?.getTime() ?? ''}` : `${key}`;
}

/** Whether a text can be a cursor of that order. */
export function isCursor(text: string, order: ListOrder): boolean {
  return (isByTaking(order) ? /^\d{1,10}\.(-?\d{1,14})?$/ : /^\d{1,10}$/).test(text);
}

/** The images after a cursor. */
export function comesAfter(cursor: string, order: ListOrder): Prisma.ImageWhereInput {
  const [key, time] = cursor.split('.');
  const beyond = isDescending(order) ? 'lt' : 'gt';
  const later = { key: { [beyond]: Number(key) } };
  if (!isByTaking(order)) return later;
  if (time === '') return { takenAt: null, ...later };
  const takenAt = new Date(Number(time));
  return { OR: [{ takenAt: { [beyond]: takenAt } }, { takenAt, ...later }, { takenAt: null }] };
}
