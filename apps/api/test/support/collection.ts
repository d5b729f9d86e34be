/** What tests ask of a collection of images. */
import { numberedPng } from './images.js';
import { formRequest } from './server.js';
import type { TestServer } from './server.js';

/** What a search finds, as far as tests look at it. */
export interface Found {
  items: { id: string; score: number }[];
  total?: number;
  nextCursor?: string | null;
}

/** Adds `count` images of different colours, the series from number `start` on. */
export async function fill(server: TestServer, count: number, start = 0): Promise<void> {
  for (let first = start; first < start + count; first += 30) {
    const size = Math.min(30, start + count - first);
    const image = await Promise.all(Array.from({ length: size }, (_, n) => numberedPng(first + n)));
    await server.json('/images', formRequest({ image }));
  }
}

/** The ids that a search gives page by page, each page beginning at the cursor of the one before. */
export async function idsByCursor(
  server: TestServer,
  search: string,
  between: (page: number) => Promise<void> = () => Promise.resolve(),
): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null | undefined = '';
  for (let page = 1; typeof cursor === 'string'; page++) {
    const found: Found = await server.json<Found>(`${search}&cursor=${cursor}`);
    ids.push(...found.items.map(({ id }) => id));
    cursor = found.nextCursor;
    await between(page);
  }
  return ids;
}

/** How many images the collection has. */
export const totalImages = async (server: TestServer): Promise<number> =>
  (await server.json<{ total: number }>('/images')).total;
