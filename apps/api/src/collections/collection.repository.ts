/**
 * Named sets of images. A change of what is in one gives the images concerned the next revision, so that every service
 * on the database learns which images search can narrow to.
 */
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Database } from '../database/database.js';
import type { NamedCollection, PrismaClient } from '../generated/prisma/client.js';
import { changeCollection } from '../images/collection-change.js';
import type { Transaction } from '../images/collection-change.js';
import { Problem } from '../problems/problem.js';
import { DATABASE } from '../providers.js';
import type { CollectionChange, CollectionView, NewCollection } from './collection.schema.js';

/** More would make the list of them, and what each image carries of them, a burden. */
const MAX_COLLECTIONS = 10_000;
const counted = { _count: { select: { images: true } } } as const;
const isCollectionId = (id: string): boolean => /^[0-9a-f-]{36}$/.test(id);
type Counted = NamedCollection & { _count: { images: number } };

@Injectable()
export class CollectionRepository {
  private readonly client: PrismaClient;

  constructor(@Inject(DATABASE) database: Database) {
    this.client = database.client;
  }

  /** By name. */
  async list(page: { limit: number; offset: number }): Promise<{ items: CollectionView[]; total: number }> {
    const [rows, total] = await Promise.all([
      this.client.namedCollection.findMany({
        orderBy: { name: 'asc' },
        skip: page.offset,
        take: page.limit,
        include: counted,
      }),
      this.client.namedCollection.count(),
    ]);
    return { items: rows.map(toView), total };
  }

  async find(id: string): Promise<CollectionView | undefined> {
    if (!isCollectionId(id)) return undefined;
    const row = await this.client.namedCollection.findUnique({ where: { id }, include: counted });
    return row === null ? undefined : toView(row);
  }

  /** Throws conflict when the name is taken, image_not_found when an image is not there. */
  create({ name, images }: NewCollection): Promise<CollectionView> {
    return changeCollection(this.client, async (transaction, revision) => {
      await refuseTaken(transaction, name);
      if ((await transaction.namedCollection.count()) >= MAX_COLLECTIONS) {
        throw new Problem(
          'conflict',
          `There are ${MAX_COLLECTIONS} collections, which is the most. Delete one first.`,
        );
      }
      const id = randomUUID();
      await transaction.namedCollection.create({ data: { id, name } });
      await put(transaction, id, images, revision);
      return view(transaction, id);
    });
  }

  /** The collection afterwards, or undefined when there is none. Throws as {@link create}. */
  change(id: string, { name, add, remove }: CollectionChange): Promise<CollectionView | undefined> {
    if (!isCollectionId(id)) return Promise.resolve(undefined);
    return changeCollection(this.client, async (transaction, revision) => {
      const row = await transaction.namedCollection.findUnique({ where: { id } });
      if (row === null) return undefined;
      if (name !== undefined && name !== row.name) {
        await refuseTaken(transaction, name);
        await transaction.namedCollection.update({ where: { id }, data: { name } });
      }
      await put(transaction, id, add, revision);
      const gone = await keysOf(transaction, remove);
      await transaction.collectionImage.deleteMany({ where: { collectionId: id, key: { in: gone } } });
      await mark(transaction, gone, revision);
      return view(transaction, id);
    });
  }

  /** Returns whether there was one. Its images stay. */
  remove(id: string): Promise<boolean> {
    if (!isCollectionId(id)) return Promise.resolve(false);
    return changeCollection(this.client, async (transaction, revision) => {
      await transaction.image.updateMany({
        where: { collections: { some: { collectionId: id } } },
        data: { revision },
      });
      return (await transaction.namedCollection.deleteMany({ where: { id } })).count > 0;
    });
  }
}

async function refuseTaken(transaction: Transaction, name: string): Promise<void> {
  if ((await transaction.namedCollection.count({ where: { name } })) > 0) {
    throw new Problem('conflict', 'There is a collection of this name already. Choose another name.');
  }
}

/** Keys of images; throws image_not_found, naming up to three, when some are not there. */
async function keysOf(transaction: Transaction, ids: readonly string[]): Promise<number[]> {
  if (ids.length === 0) return [];
  const rows = await transaction.image.findMany({
    where: { id: { in: [...ids] } },
    select: { id: true, key: true },
  });
  const found = new Set(rows.map(({ id }) => id));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0) {
    throw new Problem(
      'image_not_found',
      `There is no image with the id ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}. Nothing was changed.`,
    );
  }
  return rows.map(({ key }) => key);
}

async function put(
  transaction: Transaction,
  collectionId: string,
  ids: readonly string[],
  revision: number,
): Promise<void> {
  const keys = await keysOf(transaction, ids);
  const data = keys.map((key) => ({ collectionId, key }));
  await transaction.collectionImage.createMany({ data, skipDuplicates: true });
  await mark(transaction, keys, revision);
}

/** Has the indexes look at images again. */
async function mark(transaction: Transaction, keys: readonly number[], revision: number): Promise<void> {
  await transaction.image.updateMany({ where: { key: { in: [...keys] } }, data: { revision } });
}

const view = async (transaction: Transaction, id: string): Promise<CollectionView> =>
  toView(await transaction.namedCollection.findUniqueOrThrow({ where: { id }, include: counted }));

const toView = ({ id, name, createdAt, _count }: Counted): CollectionView => ({
  id,
  name,
  images: _count.images,
  createdAt: createdAt.toISOString(),
});
