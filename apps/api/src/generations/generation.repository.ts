/**
 * Which generations there are, which one answers, and which one is being built. A generation is the embeddings of the
 * whole collection by one model. Services may share the database: what they agree on is here, and a lease says which of
 * them builds.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import type { ModelInfo } from '../encoder/encoder.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Collection, Generation, PrismaClient } from '../generated/prisma/client.js';
import type { Transaction } from '../images/collection-change.js';
import { CONFIG, DATABASE } from '../providers.js';
import { cleanText } from '../text/clean-text.js';

/** Embeddings that are removed in one statement. */
const REMOVED_AT_ONCE = 2000;

/** Hashes of the models that serve the collection. */
export interface Choice {
  /** The model that search answers with. */
  active: string;
  /** The model whose generation is being built to take over. */
  next: string | null;
}

@Injectable()
export class GenerationRepository {
  private readonly client: PrismaClient;
  /** True when other services use the same database. */
  readonly shared: boolean;

  constructor(
    @Inject(DATABASE) database: Database,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.client = database.client;
    this.shared = database.shared;
  }

  /**
   * Notes the checkpoint of a start. Another one than the last start named asks for its generation, which is built beside
   * the one that answers; in an empty collection it answers at once.
   */
  start(model: ModelInfo): Promise<Choice> {
    return this.choose(async (transaction, collection) => {
      await register(transaction, model);
      const isEmpty = (await transaction.image.findFirst({ select: { id: true } })) === null;
      if (isEmpty) await complete(transaction, model.hash);
      const activeModel = isEmpty ? model.hash : (collection.activeModel ?? model.hash);
      const isNew = collection.checkpointModel !== model.hash;
      const nextModel = isNew ? model.hash : collection.nextModel;
      return {
        activeModel,
        nextModel: nextModel === activeModel ? null : nextModel,
        checkpointModel: model.hash,
      };
    });
  }

  async choice(): Promise<Choice> {
    return choiceOf(await this.client.collection.findUniqueOrThrow({ where: { id: 1 } }));
  }

  /** Those that are not being removed, oldest first. */
  list(): Promise<Generation[]> {
    return this.client.generation.findMany({ where: { discardedAt: null }, orderBy: { createdAt: 'asc' } });
  }

  find(model: string): Promise<Generation | null> {
    return this.client.generation.findFirst({ where: { model, discardedAt: null } });
  }

  /** Makes a generation answer at once when it has ever been complete, else has it built. Null when there is none. */
  async activate(model: string): Promise<Choice | null> {
    let isKnown = true;
    const choice = await this.choose(async (transaction, { activeModel }) => {
      const generation = await transaction.generation.findFirst({ where: { model, discardedAt: null } });
      isKnown = generation !== null;
      if (generation === null) return {};
      if (generation.completedAt === null && model !== activeModel) return { nextModel: model };
      return { activeModel: model, nextModel: null };
    });
    return isKnown ? choice : null;
  }

  /**
   * Activates the next generation when no image that changed after revision `checked` lacks its embedding. Nothing
   * is written to the collection meanwhile. Returns whether it was done.
   */
  async finish(model: string, checked: number): Promise<boolean> {
    let isDone = false;
    await this.choose(async (transaction, { nextModel }) => {
      if (nextModel !== model) return {};
      const lacking = { revision: { gt: checked }, embeddings: { none: { model } } };
      if ((await transaction.image.findFirst({ where: lacking, select: { id: true } })) !== null) return {};
      await complete(transaction, model);
      isDone = true;
      return { activeModel: model, nextModel: null };
    });
    return isDone;
  }

  /** Gives the build of a generation to `builder`. False when another service has it. */
  async claim(model: string, builder: string): Promise<boolean> {
    const claimed = await this.client.$executeRaw(Prisma.sql`
      UPDATE "generations" SET "builder" = ${builder}, "lease_until" = now() + ${this.config.IMPORT_LEASE} * interval '1 second'
      WHERE "model" = ${model} AND "discarded_at" IS NULL
        AND ("builder" IS NULL OR "lease_until" < now() OR "builder" = ${builder})`);
    return claimed === 1;
  }

  /** Lets others build what `builder` built; without a builder, everything. */
  async release(builder?: string): Promise<void> {
    const data = { builder: null, leaseUntil: null };
    await this.client.generation.updateMany({ where: builder === undefined ? {} : { builder }, data });
  }

  /** Marks a generation as one to be removed. Returns false when it serves the collection, null when there is none. */
  async discard(model: string): Promise<boolean | null> {
    let result: boolean | null = null;
    await this.choose(async (transaction, { activeModel, nextModel }) => {
      const generation = await transaction.generation.findFirst({ where: { model, discardedAt: null } });
      if (generation === null) return {};
      result = activeModel !== model;
      if (!result) return {};
      await transaction.generation.update({
        where: { model },
        data: { discardedAt: new Date(), completedAt: null },
      });
      return nextModel === model ? { nextModel: null } : {};
    });
    return result;
  }

  /** Marks what has answered before as to be removed, but for the latest `MODELS_KEPT`. */
  async retire(): Promise<void> {
    await this.choose(async (transaction, { activeModel, nextModel }) => {
      const idle = await transaction.generation.findMany({
        where: {
          discardedAt: null,
          model: { notIn: [activeModel, nextModel].filter((model) => model !== null) },
        },
        orderBy: [{ retiredAt: { sort: 'desc', nulls: 'last' } }, { createdAt: 'desc' }],
        skip: this.config.MODELS_KEPT,
      });
      await transaction.generation.updateMany({
        where: { model: { in: idle.map(({ model }) => model) } },
        data: { discardedAt: new Date(), completedAt: null },
      });
      return {};
    });
  }

  /** Removes some of what is marked. Returns whether more is left. */
  async removeDiscarded(): Promise<boolean> {
    const discarded = await this.client.generation.findFirst({ where: { discardedAt: { not: null } } });
    if (discarded === null) return false;
    const { model } = discarded;
    const removed = await this.client.$executeRaw(Prisma.sql`
      DELETE FROM "embeddings" WHERE "model" = ${model} AND "key" IN (
        SELECT "key" FROM "embeddings" WHERE "model" = ${model} LIMIT ${REMOVED_AT_ONCE})`);
    if (removed === 0)
      await this.client.generation.deleteMany({ where: { model, discardedAt: { not: null } } });
    return true;
  }

  /** A model that was removed while its checkpoint is still the service's own: a generation without embeddings. */
  async registerAgain(model: ModelInfo): Promise<void> {
    await this.client.$transaction((transaction) => register(transaction, model));
  }

  /** Changes the choice under the lock of the collection's row. */
  private choose(
    decide: (transaction: Transaction, collection: Collection) => Promise<Partial<Collection>>,
  ): Promise<Choice> {
    return this.client.$transaction(
      async (transaction) => {
        await transaction.$queryRaw`SELECT 1 FROM "collection" WHERE "id" = 1 FOR UPDATE`;
        const collection = await transaction.collection.findUniqueOrThrow({ where: { id: 1 } });
        const data = await decide(transaction, collection);
        const { activeModel: before } = collection;
        if (data.activeModel !== undefined && before !== null && data.activeModel !== before) {
          await transaction.generation.updateMany({
            where: { model: before },
            data: { retiredAt: new Date() },
          });
        }
        return choiceOf(
          Object.keys(data).length === 0
            ? collection
            : await transaction.collection.update({ where: { id: 1 }, data }),
        );
      },
      { maxWait: 30_000, timeout: 60_000 },
    );
  }
}

async function complete(transaction: Transaction, model: string): Promise<void> {
  await transaction.generation.updateMany({
    where: { model, completedAt: null },
    data: { completedAt: new Date() },
  });
}

async function register(transaction: Transaction, model: ModelInfo): Promise<void> {
  const { hash, embeddingSize } = model;
  const data = { name: cleanText(model.name), embeddingSize, discardedAt: null };
  await transaction.generation.upsert({
    where: { model: hash },
    create: { model: hash, ...data },
    update: data,
  });
}

function choiceOf({ activeModel, nextModel }: Collection): Choice {
  if (activeModel === null) throw new Error('the collection has no model yet');
  return { active: activeModel, next: nextModel };
}
