/**
 * The rows of the collection. Every change takes the next revision in its own transaction, under a lock on
 * the collection's row: revisions become visible in their order, so "what changed since revision r" misses nothing.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Database } from '../database/database.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Image, PrismaClient } from '../generated/prisma/client.js';
import { DATABASE } from '../providers.js';
import { cleanTexts } from '../text/clean-text.js';

/** An image without its embedding. */
export type ImageRow = Omit<Image, 'embedding'>;

/** What is stored of a new image; `embedding` [E] was made by the model `embeddingModel`. */
export interface NewImage {
  id: string;
  mediaType: string;
  width: number;
  height: number;
  bytes: number;
  fileName: string | null;
  captions: string[];
  tags: string[];
  embedding: Float32Array;
  embeddingModel: string;
}

/** Captions and tags to add to an image. */
interface Annotation {
  id: string;
  captions: readonly string[];
  tags: readonly string[];
}

type Transaction = Parameters<Parameters<PrismaClient['$transaction']>[0]>[0];

@Injectable()
export class ImageRepository {
  private readonly client: PrismaClient;

  constructor(@Inject(DATABASE) database: Database) {
    this.client = database.client;
  }

  find(id: string): Promise<ImageRow | null> {
    return this.client.image.findUnique({ where: { id }, omit: { embedding: true } });
  }

  /** Rows of these ids, in any order; ids that are not there are left out. */
  findMany(ids: readonly string[]): Promise<ImageRow[]> {
    return this.client.image.findMany({ where: { id: { in: [...ids] } }, omit: { embedding: true } });
  }

  /** Rows of these keys, in any order. */
  findByKeys(keys: readonly number[]): Promise<ImageRow[]> {
    return this.client.image.findMany({ where: { key: { in: [...keys] } }, omit: { embedding: true } });
  }

  /** Newest first. */
  list(page: { limit: number; offset: number }): Promise<ImageRow[]> {
    return this.client.image.findMany({
      orderBy: { key: 'desc' },
      skip: page.offset,
      take: page.limit,
      omit: { embedding: true },
    });
  }

  count(): Promise<number> {
    return this.client.image.count();
  }

  /** Adds the images that are not there yet. Returns the ids that this call added. */
  add(images: readonly NewImage[]): Promise<Set<string>> {
    return this.change(async (transaction, revision) => {
      const added = await transaction.image.createManyAndReturn({
        data: images.map((image) => ({
          ...cleanTexts(image),
          embedding: toBytes(image.embedding),
          revision,
        })),
        select: { id: true },
        skipDuplicates: true,
      });
      return new Set(added.map(({ id }) => id));
    });
  }

  /**
   * Adds captions and tags that images lack, in their order, up to `limit` of each; what is there stays first.
   * Returns by id what was added.
   */
  async annotate(
    annotations: readonly Annotation[],
    limit: number,
  ): Promise<Map<string, { captions: string[]; tags: string[] }>> {
    const ids = annotations.map(({ id }) => id);
    const missing = (rows: readonly ImageRow[]) => additions(annotations, rows, limit);
    const isEmpty = (found: ReturnType<typeof missing>) =>
      [...found.values()].every(({ captions, tags }) => captions.length + tags.length === 0);
    const expected = missing(await this.findMany(ids));
    if (isEmpty(expected)) return expected;
    return this.change(async (transaction, revision) => {
      const rows = await transaction.image.findMany({
        where: { id: { in: ids } },
        omit: { embedding: true },
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

  /** Those of `ids` that have a row. */
  async existing(ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.client.image.findMany({ where: { id: { in: [...ids] } }, select: { id: true } });
    return new Set(rows.map(({ id }) => id));
  }

  /** Removes an image and notes the deletion. Returns its row, or null when it is not there. */
  remove(id: string): Promise<ImageRow | null> {
    return this.change(async (transaction, revision) => {
      const row = await transaction.image.findUnique({ where: { id }, omit: { embedding: true } });
      if (row === null) return null;
      await transaction.image.delete({ where: { id } });
      await transaction.deletion.create({ data: { key: row.key, revision } });
      return row;
    });
  }

  /** Replaces the embeddings of images that another model had encoded. */
  async replaceEmbeddings(
    embeddings: readonly { id: string; embedding: Float32Array }[],
    model: string,
  ): Promise<void> {
    await this.change(async (transaction, revision) => {
      for (const { id, embedding } of embeddings) {
        await transaction.image.updateMany({
          where: { id },
          data: { embedding: toBytes(embedding), embeddingModel: model, revision },
        });
      }
    });
  }

  /** Up to `limit` images whose embedding another model made, by key, after `afterKey`. */
  findForeign(model: string, afterKey: number, limit: number): Promise<ImageRow[]> {
    return this.client.image.findMany({
      where: { embeddingModel: { not: model }, key: { gt: afterKey } },
      orderBy: { key: 'asc' },
      take: limit,
      omit: { embedding: true },
    });
  }

  countForeign(model: string): Promise<number> {
    return this.client.image.count({ where: { embeddingModel: { not: model } } });
  }

  /** The number of changes made so far. */
  async revision(): Promise<number> {
    return (await this.client.collection.findUniqueOrThrow({ where: { id: 1 } })).revision;
  }

  /** Tags of the rows written after revision `after` up to `until`, by key; `limit` rows from `afterKey` on. */
  tags({
    after,
    until,
    afterKey,
    limit,
  }: {
    after: number;
    until: number;
    afterKey: number;
    limit: number;
  }): Promise<{ key: number; tags: string[] }[]> {
    return this.client.image.findMany({
      where: { revision: { gt: after, lte: until }, key: { gt: afterKey } },
      orderBy: { key: 'asc' },
      take: limit,
      select: { key: true, tags: true },
    });
  }

  /** Embeddings that `model` made, written after revision `after` up to `until`, by key; `limit` rows from `afterKey` on. */
  async embeddings(query: {
    model: string;
    after: number;
    until: number;
    afterKey: number;
    limit: number;
  }): Promise<{ key: number; embedding: Float32Array }[]> {
    // base64 text: the drivers parse hexadecimal bytea values one byte at a time.
    const rows = await this.client.$queryRaw<{ key: number; embedding: string }[]>(Prisma.sql`
      SELECT "key", encode("embedding", 'base64') AS "embedding" FROM "images"
      WHERE "embedding_model" = ${query.model} AND "revision" > ${query.after} AND "revision" <= ${query.until}
        AND "key" > ${query.afterKey}
      ORDER BY "key" LIMIT ${query.limit}`);
    return rows.map(({ key, embedding }) => ({ key, embedding: fromBase64(embedding) }));
  }

  /** Keys of images that were removed after revision `after` up to `until`. */
  async deletions(after: number, until: number): Promise<number[]> {
    const rows = await this.client.deletion.findMany({ where: { revision: { gt: after, lte: until } } });
    return rows.map(({ key }) => key);
  }

  private change<T>(run: (transaction: Transaction, revision: number) => Promise<T>): Promise<T> {
    return this.client.$transaction(
      async (transaction) => {
        const { revision } = await transaction.collection.update({
          where: { id: 1 },
          data: { revision: { increment: 1 } },
        });
        return run(transaction, revision);
      },
      { maxWait: 30_000, timeout: 60_000 },
    );
  }
}

/** What the rows lack of their annotations; several annotations of one image add up. */
function additions(
  annotations: readonly Annotation[],
  rows: readonly ImageRow[],
  limit: number,
): Map<string, { captions: string[]; tags: string[] }> {
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

/** E float32 values as little-endian bytes. */
function toBytes(embedding: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(embedding.length * 4);
  const view = new DataView(bytes.buffer);
  embedding.forEach((value, index) => {
    view.setFloat32(index * 4, value, true);
  });
  return bytes;
}

function fromBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  const embedding = new Float32Array(bytes.length / 4);
  for (let index = 0; index < embedding.length; index++) embedding[index] = bytes.readFloatLE(index * 4);
  return embedding;
}
