/** The embeddings of the images, by one or more models: what the indexes read and what builds write. */
import { Inject, Injectable } from '@nestjs/common';
import type { Database } from '../database/database.js';
import { reuseSlowResult } from '../database/reuse-slow-result.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Image, PrismaClient } from '../generated/prisma/client.js';
import { DATABASE } from '../providers.js';
import { changeCollection } from './collection-change.js';
import type { Transaction } from './collection-change.js';

/** An embedding [E] with the hash of the model that made it. */
export interface ModelEmbedding {
  model: string;
  embedding: Float32Array;
}

/** Rows written after revision `after` up to `until`, by key; `limit` rows after `afterKey`. */
interface ChangeQuery {
  after: number;
  until: number;
  afterKey: number;
  limit: number;
}

interface AttributesRow {
  key: number;
  tags: string[];
  collections: string[];
  addedAt: Date;
  takenAt: Date | null;
}

@Injectable()
export class EmbeddingRepository {
  private readonly client: PrismaClient;

  constructor(@Inject(DATABASE) database: Database) {
    this.client = database.client;
  }

  /** The number of changes made to the collection so far. */
  async revision(): Promise<number> {
    return (await this.client.collection.findUniqueOrThrow({ where: { id: 1 } })).revision;
  }

  /** How many embeddings `model` made. */
  count(model: string): Promise<number> {
    return this.client.embedding.count({ where: { model } });
  }

  /**
   * How many images there are, and how many of them each model has embedded. Counting a large collection takes long: what
   * was counted then is given again for a while, so that clients who ask again and again keep the database busy a
   * twentieth of the time at most.
   */
  readonly counts = reuseSlowResult(async (): Promise<{ images: number; byModel: Map<string, number> }> => {
    // Images first: one that comes between the counts must not seem to lack its embedding.
    const images = await this.client.image.count();
    const groups = await this.client.embedding.groupBy({ by: ['model'], _count: { _all: true } });
    return { images, byModel: new Map(groups.map(({ model, _count }) => [model, _count._all])) };
  });

  /** Embeddings that `model` made of the rows that changed. */
  async embeddings(
    query: ChangeQuery & { model: string },
  ): Promise<{ key: number; embedding: Float32Array }[]> {
    // base64 text: the drivers parse hexadecimal bytea values one byte at a time.
    const rows = await this.client.$queryRaw<{ key: number; embedding: string }[]>(Prisma.sql`
      SELECT "key", encode("embedding", 'base64') AS "embedding" FROM "embeddings"
      WHERE "model" = ${query.model} AND "revision" > ${query.after} AND "revision" <= ${query.until}
        AND "key" > ${query.afterKey}
      ORDER BY "key" LIMIT ${query.limit}`);
    return rows.map(({ key, embedding }) => ({ key, embedding: fromBase64(embedding) }));
  }

  /** What search can be narrowed by, of the rows that changed. */
  async attributes({ after, until, afterKey, limit }: ChangeQuery): Promise<AttributesRow[]> {
    const rows = await this.client.image.findMany({
      where: { revision: { gt: after, lte: until }, key: { gt: afterKey } },
      orderBy: { key: 'asc' },
      take: limit,
      select: {
        ...{ key: true, tags: true, createdAt: true, takenAt: true },
        collections: { select: { collectionId: true } },
      },
    });
    return rows.map(({ key, tags, createdAt, takenAt, collections }) => ({
      key,
      tags,
      collections: collections.map(({ collectionId }) => collectionId),
      addedAt: createdAt,
      takenAt,
    }));
  }

  /** The embedding [E] of an image by a model, or undefined when the model has not made it yet. */
  async find(model: string, key: number): Promise<Float32Array | undefined> {
    const row = await this.client.embedding.findUnique({ where: { key_model: { key, model } } });
    return row === null ? undefined : fromBytes(Buffer.from(row.embedding));
  }

  /** Keys of images that were removed after revision `after` up to `until`. */
  async deletions(after: number, until: number): Promise<number[]> {
    const rows = await this.client.deletion.findMany({ where: { revision: { gt: after, lte: until } } });
    return rows.map(({ key }) => key);
  }

  /** Those of the keys of which `model` has an embedding. */
  async having(model: string, keys: readonly number[]): Promise<Set<number>> {
    const where = { model, key: { in: [...keys] } };
    const rows = await this.client.embedding.findMany({ where, select: { key: true } });
    return new Set(rows.map(({ key }) => key));
  }

  /** Up to `limit` images that changed after revision `after` and of which `model` has no embedding, by key, after `afterKey`. */
  lacking(model: string, after: number, afterKey: number, limit: number): Promise<Image[]> {
    return this.client.image.findMany({
      where: { key: { gt: afterKey }, ...lackingSince(model, after) },
      orderBy: { key: 'asc' },
      take: limit,
    });
  }

  /** How many there are of {@link lacking}. */
  countLacking(model: string, after: number): Promise<number> {
    return this.client.image.count({ where: lackingSince(model, after) });
  }

  /** Stores embeddings that `model` made; of images or models that are gone they are left out. */
  async store(embeddings: readonly { key: number; embedding: Float32Array }[], model: string): Promise<void> {
    await changeCollection(this.client, async (transaction, revision) => {
      const rows = await transaction.image.findMany({
        where: { key: { in: embeddings.map(({ key }) => key) } },
        select: { key: true },
      });
      const present = new Set(rows.map(({ key }) => key));
      const stored = embeddings.filter(({ key }) => present.has(key));
      await insertEmbeddings(
        transaction,
        stored.map(({ key, embedding }) => ({ key, model, embedding })),
        revision,
      );
    });
  }
}

/** Images that changed after a revision and have no embedding by the model. */
function lackingSince(model: string, after: number): Prisma.ImageWhereInput {
  return { embeddings: { none: { model } }, ...(after > 0 && { revision: { gt: after } }) };
}

/** Writes the embeddings that are not there yet, of images that are, by models that have a generation. */
export async function insertEmbeddings(
  transaction: Transaction,
  embeddings: readonly (ModelEmbedding & { key: number })[],
  revision: number,
): Promise<void> {
  if (embeddings.length === 0) return;
  const models = [...new Set(embeddings.map(({ model }) => model))];
  const where = { model: { in: models }, discardedAt: null };
  const generations = await transaction.generation.findMany({ where, select: { model: true } });
  const known = new Set(generations.map(({ model }) => model));
  await transaction.embedding.createMany({
    data: embeddings
      .filter(({ model }) => known.has(model))
      .map(({ key, model, embedding }) => ({ key, model, revision, embedding: toBytes(embedding) })),
    skipDuplicates: true,
  });
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

const fromBase64 = (text: string): Float32Array => fromBytes(Buffer.from(text, 'base64'));

function fromBytes(bytes: Buffer): Float32Array {
  const embedding = new Float32Array(bytes.length / 4);
  for (let index = 0; index < embedding.length; index++) embedding[index] = bytes.readFloatLE(index * 4);
  return embedding;
}
