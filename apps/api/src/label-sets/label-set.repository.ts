/** Named sets of labels with the templates around them. */
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Database } from '../database/database.js';
import { Prisma } from '../generated/prisma/client.js';
import type { LabelSet, PrismaClient } from '../generated/prisma/client.js';
import { Problem } from '../problems/problem.js';
import { DATABASE } from '../providers.js';
import type { LabelSetChange, LabelSetSummary, LabelSetView, NewLabelSet } from './label-set.schema.js';

/** More would burden the database, and nobody could look through them. */
const MAX_SETS = 1000;
/** Held while the number of sets grows: a number for pg_advisory_xact_lock. */
const LOCK = 4_200_016;
const isSetId = (id: string): boolean => /^[0-9a-f-]{36}$/.test(id);

@Injectable()
export class LabelSetRepository {
  private readonly client: PrismaClient;

  constructor(@Inject(DATABASE) private readonly database: Database) {
    this.client = database.client;
  }

  /** By name. */
  async list(page: { limit: number; offset: number }): Promise<{ items: LabelSetSummary[]; total: number }> {
    const [rows, total] = await Promise.all([
      this.client.labelSet.findMany({ orderBy: { name: 'asc' }, skip: page.offset, take: page.limit }),
      this.client.labelSet.count(),
    ]);
    const items = rows.map((row) => {
      const { labels: _labels, ...summary } = toView(row);
      return summary;
    });
    return { items, total };
  }

  async find(id: string): Promise<LabelSetView | undefined> {
    if (!isSetId(id)) return undefined;
    const row = await this.client.labelSet.findUnique({ where: { id } });
    return row === null ? undefined : toView(row);
  }

  /** The set of a name. Throws label_set_not_found, or database_unavailable at once while the database is unavailable. */
  async named(name: string): Promise<LabelSetView> {
    if (this.database.monitor.problem !== undefined) throw this.database.monitor.problem;
    const row = await this.client.labelSet.findUnique({ where: { name } });
    if (row === null) {
      throw new Problem(
        'label_set_not_found',
        `There is no label set named ${name}. GET /label-sets lists them.`,
      );
    }
    return toView(row);
  }

  /** Throws conflict when the name is taken or there are too many. */
  async create({ name, labels, templates }: NewLabelSet): Promise<LabelSetView> {
    const data = { id: randomUUID(), name, labels: distinct(labels), templates: distinct(templates) };
    return orTaken(
      this.client.$transaction(async (transaction) => {
        await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${LOCK}::bigint)`;
        if ((await transaction.labelSet.count()) >= MAX_SETS) {
          throw new Problem(
            'conflict',
            `There are ${MAX_SETS} label sets, which is the most. Delete one first.`,
          );
        }
        return toView(await transaction.labelSet.create({ data }));
      }),
    );
  }

  /**
   * The set afterwards, or undefined when there is none. Throws conflict when the name is taken.
   * @param check throws when the set as it would be is not accepted
   */
  async change(
    id: string,
    { name, labels, templates }: LabelSetChange,
    check: (set: LabelSetView) => void,
  ): Promise<LabelSetView | undefined> {
    if (!isSetId(id)) return undefined;
    return orTaken(
      this.client.$transaction(async (transaction) => {
        await transaction.$queryRaw`SELECT 1 FROM "label_sets" WHERE "id" = ${id} FOR UPDATE`;
        const row = await transaction.labelSet.findUnique({ where: { id } });
        if (row === null) return undefined;
        const data = {
          name: name ?? row.name,
          labels: distinct(labels ?? row.labels),
          templates: distinct(templates ?? row.templates),
          revision: { increment: 1 },
        };
        const changed = toView(await transaction.labelSet.update({ where: { id }, data }));
        check(changed);
        return changed;
      }),
    );
  }

  /** Returns whether there was one. */
  async remove(id: string): Promise<boolean> {
    if (!isSetId(id)) return false;
    return (await this.client.labelSet.deleteMany({ where: { id } })).count > 0;
  }
}

/** The result, or the problem that the name is taken, which the database alone can tell for certain. */
async function orTaken<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') {
      throw new Problem('conflict', 'There is a label set of this name already. Choose another name.');
    }
    throw error;
  }
}

const distinct = (texts: readonly string[]): string[] => [...new Set(texts)];

const toView = ({ id, name, labels, templates, revision, createdAt }: LabelSet): LabelSetView => ({
  id,
  name,
  size: labels.length,
  labels,
  templates,
  revision,
  createdAt: createdAt.toISOString(),
});
