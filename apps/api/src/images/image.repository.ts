/** The rows of the images. */
import { Inject, Injectable } from '@nestjs/common';
import type { Database } from '../database/database.js';
import type { Image, Prisma, PrismaClient } from '../generated/prisma/client.js';
import type { Taken } from '../image-file/exif-date.js';
import { DATABASE } from '../providers.js';
import { cleanTexts } from '../text/clean-text.js';
import { changeCollection } from './collection-change.js';
import { insertEmbeddings } from './embedding.repository.js';
import type { ModelEmbedding } from './embedding.repository.js';
import { timesOf } from './filter.schema.js';
import type { FilterFields } from './filter.schema.js';
import type { ListQuery } from './image.schema.js';
import { comesAfter, orderOf } from './list-order.js';

export type ImageRow = Image;

/** What is stored of a new image. */
export interface NewImage {
  id: string;
  mediaType: string;
  width: number;
  height: number;
  bytes: number;
  fileName: string | null;
  captions: string[];
  tags: string[];
  /** The batch of an import that adds it. */
  addedBy: string | null;
  /** What the clock showed where it was taken, as if it were UTC, and minutes by which that is ahead of UTC. */
  takenAt: Date | null;
  takenOffset: number | null;
  embeddings: ModelEmbedding[];
}

/** Captions and tags to add to an image. */
interface Annotation {
  id: string;
  captions: readonly string[];
  tags: readonly string[];
}

/** Captions and tags that an image did not have. */
interface AddedAnnotation {
  captions: string[];
  tags: string[];
}

@Injectable()
export class ImageRepository {
  private readonly client: PrismaClient;

  constructor(@Inject(DATABASE) database: Database) {
    this.client = database.client;
  }

  find(id: string): Promise<ImageRow | null> {
    return this.client.image.findUnique({ where: { id } });
  }

  /** Rows of these ids, in any order; ids that are not there are left out. */
  findMany(ids: readonly string[]): Promise<ImageRow[]> {
    return this.client.image.findMany({ where: { id: { in: [...ids] } } });
  }

  /** Rows of these keys, in any order. */
  findByKeys(keys: readonly number[]): Promise<ImageRow[]> {
    return this.client.image.findMany({ where: { key: { in: [...keys] } } });
  }

  /** A page of the images that a filter lets pass, and how many there are in all. */
  async list(query: ListQuery): Promise<{ rows: ImageRow[]; total: number }> {
    const { limit, offset, cursor, order, ...filter } = query;
    const where = whereOf(filter);
    const page = cursor === undefined ? {} : comesAfter(cursor, order);
    const [rows, total] = await Promise.all([
      this.client.image.findMany({
        where: { AND: [where, page] },
        orderBy: orderOf(order),
        skip: offset,
        take: limit,
      }),
      this.client.image.count({ where }),
    ]);
    return { rows, total };
  }

  count(): Promise<number> {
    return this.client.image.count();
  }

  /** Adds the images that are not there yet, and the embeddings that they lack. Returns the ids that this call added. */
  add(images: readonly NewImage[]): Promise<Set<string>> {
    return changeCollection(this.client, async (transaction, revision) => {
      const added = await transaction.image.createManyAndReturn({
        data: images.map(({ embeddings: _, ...image }) => ({
          ...cleanTexts(image),
          takenRead: true,
          revision,
        })),
        select: { id: true },
        skipDuplicates: true,
      });
      const rows = await transaction.image.findMany({
        where: { id: { in: images.map(({ id }) => id) } },
        select: { id: true, key: true },
      });
      const keys = new Map(rows.map(({ id, key }) => [id, key]));
      const embeddings = images.flatMap((image) =>
        image.embeddings.map((one) => ({ ...one, key: keys.get(image.id)! })),
      );
      await insertEmbeddings(transaction, embeddings, revision);
      return new Set(added.map(({ id }) => id));
    });
  }

  /**
   * Adds captions and tags that images lack, in their order, up to `limit` of each; what is there stays first.
   * Returns by id what was added.
   */
  async annotate(annotations: readonly Annotation[], limit: number): Promise<Map<string, AddedAnnotation>> {
    const ids = annotations.map(({ id }) => id);
    const missing = (rows: readonly ImageRow[]) => additions(annotations, rows, limit);
    const isEmpty = (found: ReturnType<typeof missing>) =>
      [...found.values()].every(({ captions, tags }) => captions.length + tags.length === 0);
    const expected = missing(await this.findMany(ids));
    if (isEmpty(expected)) return expected;
    return changeCollection(this.client, async (transaction, revision) => {
      const rows = await transaction.image.findMany({
        where: { id: { in: ids } },
      });
      const added = missing(rows);
      for (const { id, captions, tags } of rows) {
        const more = added.get(id)!;
        if (more.captions.length + more.tags.length === 0) continue;
        const data = { captions: [...captions, ...more.captions], tags: [...tags, ...more.tags], revision };
        await transaction.image.update({ where: { id }, data, select: { id: true } });
      }
      return added;
    });
  }

  /**
   * Puts captions and tags in the place of those that images have; of several for one image the last counts.
   * Returns by id what is new of them.
   */
  replaceAnnotations(annotations: readonly Annotation[]): Promise<Map<string, AddedAnnotation>> {
    const last = new Map(annotations.map((one) => [one.id, one]));
    return changeCollection(this.client, async (transaction, revision) => {
      const rows = await transaction.image.findMany({ where: { id: { in: [...last.keys()] } } });
      const added = new Map<string, AddedAnnotation>();
      for (const row of rows) {
        const { captions, tags } = cleanTexts(last.get(row.id)!);
        added.set(row.id, {
          captions: captions.filter((text) => !row.captions.includes(text)),
          tags: tags.filter((text) => !row.tags.includes(text)),
        });
        if (equal(row.captions, captions) && equal(row.tags, tags)) continue;
        const data = { captions: [...captions], tags: [...tags], revision };
        await transaction.image.update({ where: { id: row.id }, data, select: { id: true } });
      }
      return added;
    });
  }

  /**
   * Changes captions and tags of one image, if its revision is `expected`, or whatever it is.
   * Returns its row as it is then, `changed` false when the revision was another one; null when it is not there.
   */
  change(
    id: string,
    data: { captions?: string[]; tags?: string[] },
    expected?: number,
  ): Promise<{ row: ImageRow; changed: boolean } | null> {
    return changeCollection(this.client, async (transaction, revision) => {
      const row = await transaction.image.findUnique({ where: { id } });
      if (row === null) return null;
      if (expected !== undefined && row.revision !== expected) return { row, changed: false };
      const update = { ...cleanTexts(data), revision };
      return { row: await transaction.image.update({ where: { id }, data: update }), changed: true };
    });
  }

  /** Those of `ids` that a batch of an import added. */
  async addedBy(batch: string, ids: readonly string[]): Promise<Set<string>> {
    const where = { addedBy: batch, id: { in: [...ids] } };
    const rows = await this.client.image.findMany({ where, select: { id: true } });
    return new Set(rows.map(({ id }) => id));
  }

  /** Those of `ids` that have a row. */
  async existing(ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.client.image.findMany({ where: { id: { in: [...ids] } }, select: { id: true } });
    return new Set(rows.map(({ id }) => id));
  }

  /** Up to `limit` images whose files have not been read for the date of taking. */
  withoutDates(limit: number): Promise<ImageRow[]> {
    return this.client.image.findMany({ where: { takenRead: false }, take: limit });
  }

  /** Notes when images were taken, as far as their files say it. */
  setDates(dates: readonly { id: string; taken: Taken | null }[]): Promise<void> {
    return changeCollection(this.client, async (transaction, revision) => {
      for (const { id, taken } of dates) {
        if (taken === null) continue;
        const data = { takenAt: taken.at, takenOffset: taken.offset, revision };
        await transaction.image.updateMany({ where: { id }, data });
      }
      const where = { id: { in: dates.map(({ id }) => id) } };
      await transaction.image.updateMany({ where, data: { takenRead: true } });
    });
  }

  /** Removes an image and notes the deletion. Returns its row, or null when it is not there. */
  remove(id: string): Promise<ImageRow | null> {
    return changeCollection(this.client, async (transaction, revision) => {
      const row = await transaction.image.findUnique({ where: { id } });
      if (row === null) return null;
      await transaction.image.delete({ where: { id } });
      await transaction.deletion.create({ data: { key: row.key, revision } });
      return row;
    });
  }
}

/** The conditions of a filter, which the indexes on tags and collections answer. */
function whereOf(filter: FilterFields): Prisma.ImageWhereInput {
  const { tag = [], notTag = [], collection = [] } = filter;
  const { from, to, takenFrom, takenTo } = timesOf(filter);
  return {
    ...(tag.length > 0 && { tags: { hasEvery: tag } }),
    ...(notTag.length > 0 && { NOT: { tags: { hasSome: notTag } } }),
    ...within('createdAt', from, to),
    ...within('takenAt', takenFrom, takenTo),
    AND: collection.map((collectionId) => ({ collections: { some: { collectionId } } })),
  };
}

/** Both ends included; no condition without either. */
function within(column: 'createdAt' | 'takenAt', from?: number, to?: number): Prisma.ImageWhereInput {
  if ((from ?? to) === undefined) return {};
  const ends = {
    ...(from !== undefined && { gte: new Date(from) }),
    ...(to !== undefined && { lte: new Date(to) }),
  };
  return { [column]: ends };
}

/** What the rows lack of their annotations; several annotations of one image add up. */
function additions(
  annotations: readonly Annotation[],
  rows: readonly ImageRow[],
  limit: number,
): Map<string, AddedAnnotation> {
  return new Map(
    rows.map((row) => {
      const own = annotations.filter(({ id }) => id === row.id);
      const more = (kind: 'captions' | 'tags') =>
        [...new Set(own.flatMap((one) => one[kind]))]
          .filter((text) => !row[kind].includes(text))
          .slice(0, Math.max(0, limit - row[kind].length));
      return [row.id, { captions: more('captions'), tags: more('tags') }];
    }),
  );
}

const equal = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, index) => text === b[index]);
