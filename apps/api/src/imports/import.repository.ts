/** Import jobs in the database: a job survives the process that runs it. */
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Database } from '../database/database.js';
import type { ImportJob, Prisma } from '../generated/prisma/client.js';
import { DATABASE } from '../providers.js';
import type { ImportBody } from './import.schema.js';

@Injectable()
export class ImportRepository {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  create(request: ImportBody): Promise<ImportJob> {
    const { path, format, split, limit } = request;
    return this.jobs.create({ data: { id: randomUUID(), path, format, split, maxImages: limit } });
  }

  find(id: string): Promise<ImportJob | null> {
    return this.jobs.findUnique({ where: { id } });
  }

  /** The newest jobs. */
  list(limit: number): Promise<ImportJob[]> {
    return this.jobs.findMany({ orderBy: { createdAt: 'desc' }, take: limit });
  }

  /** An unfinished job that was asked for in the same words. */
  findUnfinished({ path, format, split, limit }: ImportBody): Promise<ImportJob | null> {
    return this.jobs.findFirst({
      where: {
        path,
        format,
        split: split ?? null,
        maxImages: limit ?? null,
        status: { in: ['queued', 'running'] },
      },
    });
  }

  /** The oldest unfinished job. */
  next(): Promise<ImportJob | null> {
    return this.jobs.findFirst({
      where: { status: { in: ['queued', 'running'] } },
      orderBy: { createdAt: 'asc' },
    });
  }

  update(id: string, data: Prisma.ImportJobUpdateInput): Promise<ImportJob> {
    return this.jobs.update({ where: { id }, data });
  }

  private get jobs() {
    return this.database.client.importJob;
  }
}
