/**
 * Import jobs in the database: a job survives the process that runs it. Several services may share the database, so
 * who runs a job holds a lease on it, by the clock of the database, and loses it by not renewing it.
 */
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import { Prisma } from '../generated/prisma/client.js';
import type { ImportJob, ImportStatus } from '../generated/prisma/client.js';
import { CONFIG, DATABASE } from '../providers.js';
import { cleanTexts } from '../text/clean-text.js';
import type { ImportBody } from './import.schema.js';

/** Any number that nothing else on the database uses for an advisory lock. */
const CREATE_LOCK = 727_274_002;

/** States in which a job is run, or waits for it. */
const UNFINISHED: ImportStatus[] = ['queued', 'running'];

@Injectable()
export class ImportRepository {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** True when other services run jobs of the same database. */
  get shared(): boolean {
    return this.database.shared;
  }

  /** The unfinished job that was asked for in the same words, or a new one: one job for requests at the same moment. */
  async findOrCreate(request: ImportBody): Promise<{ job: ImportJob; created: boolean }> {
    const { path, format, split, limit, onDuplicate } = request;
    const words = cleanTexts({ path, format, split: split ?? null, maxImages: limit ?? null, onDuplicate });
    return this.database.client.$transaction(async (transaction) => {
      await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${CREATE_LOCK})`;
      const unfinished = await transaction.importJob.findFirst({
        where: { ...words, status: { in: ['queued', 'running', 'paused'] } },
      });
      if (unfinished !== null) return { job: unfinished, created: false };
      return {
        job: await transaction.importJob.create({ data: { id: randomUUID(), ...words } }),
        created: true,
      };
    });
  }

  find(id: string): Promise<ImportJob | null> {
    return this.jobs.findUnique({ where: { id } });
  }

  /** The newest jobs. */
  list(limit: number): Promise<ImportJob[]> {
    return this.jobs.findMany({ orderBy: { createdAt: 'desc' }, take: limit });
  }

  /** Gives the oldest unfinished job that no service runs to `runner`. Of several that ask at once, one gets it. */
  async claim(runner: string): Promise<ImportJob | null> {
    const claimed = await this.database.client.$queryRaw<{ id: string }[]>(Prisma.sql`
      UPDATE "import_jobs" SET "runner" = ${runner}, "lease_until" = now() + ${this.config.IMPORT_LEASE} * interval '1 second'
      WHERE "id" = (
        SELECT "id" FROM "import_jobs"
        WHERE "status" IN ('queued', 'running')
          AND ("lease_until" IS NULL OR "lease_until" < now() OR "runner" = ${runner})
        ORDER BY "created_at" LIMIT 1 FOR UPDATE SKIP LOCKED
      ) RETURNING "id"`);
    return claimed[0] === undefined ? null : this.find(claimed[0].id);
  }

  /** Prolongs the leases of `runner`. */
  async renew(runner: string): Promise<void> {
    await this.database.client.$executeRaw(Prisma.sql`
      UPDATE "import_jobs" SET "lease_until" = now() + ${this.config.IMPORT_LEASE} * interval '1 second'
      WHERE "runner" = ${runner} AND "status" IN ('queued', 'running')`);
  }

  /** Lets others run what `runner` has not finished; without a runner, everything. */
  async release(runner?: string): Promise<void> {
    await this.jobs.updateMany({
      where: { status: { in: UNFINISHED }, ...(runner !== undefined && { runner }) },
      data: { runner: null, leaseUntil: null },
    });
  }

  /**
   * Writes down the progress of a job that `runner` runs. False when it does so no more: another service took the job
   * over, or it was paused or cancelled.
   */
  async update(id: string, runner: string, data: Prisma.ImportJobUpdateManyMutationInput): Promise<boolean> {
    const where = { id, runner, status: { in: UNFINISHED } };
    const { count } = await this.jobs.updateMany({ where, data: cleanTexts(data) });
    return count === 1;
  }

  /**
   * Takes a job from one of the states in `from` to another, whichever service runs it. False when it is in none of
   * them.
   */
  async move(
    id: string,
    from: readonly ImportStatus[],
    data: Prisma.ImportJobUpdateManyMutationInput,
  ): Promise<boolean> {
    const { count } = await this.jobs.updateMany({
      where: { id, status: { in: [...from] } },
      data: { runner: null, leaseUntil: null, ...data },
    });
    return count === 1;
  }

  private get jobs() {
    return this.database.client.importJob;
  }
}
