/** Import jobs as clients ask for them: started, looked at, paused, ended, tried again. ImportRunner does the work. */
import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '../config/config.js';
import type { ImportJob, ImportStatus } from '../generated/prisma/client.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { resolveImportPath } from './import-root.js';
import { ImportRepository } from './import.repository.js';
import { ImportRunner } from './import.runner.js';
import { failuresSchema } from './import.schema.js';
import type { ImportBody, ImportView } from './import.schema.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

@Injectable()
export class ImportService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ImportRepository) private readonly jobs: ImportRepository,
    @Inject(ImportRunner) private readonly runner: ImportRunner,
  ) {}

  /** Starts a job, or returns the unfinished one that was asked for in the same words. */
  async start(request: ImportBody): Promise<{ job: ImportView; created: boolean }> {
    const path = await resolveImportPath(request.path, this.config.IMPORT_ROOT);
    const { job, created } = await this.jobs.findOrCreate({ ...request, path });
    this.runner.wake();
    return { job: toView(job), created };
  }

  async get(id: string): Promise<ImportView> {
    const job = UUID.test(id) ? await this.jobs.find(id) : null;
    if (job === null)
      throw new Problem('import_not_found', `There is no import with the id ${id.slice(0, 80)}.`);
    return toView(job);
  }

  async list(): Promise<ImportView[]> {
    return (await this.jobs.list(100)).map(toView);
  }

  /** Pauses a job. Throws `import_state`. */
  pause(id: string): Promise<ImportView> {
    return this.move(id, ['queued', 'running'], { status: 'paused' });
  }

  /** Resumes a paused job. Throws `import_state`. */
  resume(id: string): Promise<ImportView> {
    return this.move(id, ['paused'], { status: 'queued' });
  }

  /** Ends a job; what it has added stays. Throws `import_state`. */
  cancel(id: string): Promise<ImportView> {
    return this.move(id, ['queued', 'running', 'paused'], { status: 'cancelled', finishedAt: new Date() });
  }

  /** Resumes a job that failed or was cancelled, and runs one that is done again. Throws `import_state`. */
  async retry(id: string): Promise<ImportView> {
    const again = { status: 'queued', error: null, finishedAt: null } as const;
    const { status } = await this.get(id);
    if (status !== 'done') return this.move(id, ['failed', 'cancelled'], again);
    return this.move(id, ['done'], {
      ...again,
      startedAt: null,
      processed: 0,
      added: 0,
      duplicates: 0,
      failed: 0,
      failures: [],
    });
  }

  private async move(
    id: string,
    from: readonly ImportStatus[],
    data: Parameters<ImportRepository['move']>[2],
  ): Promise<ImportView> {
    const { status } = await this.get(id);
    if (!(await this.jobs.move(id, from, data))) {
      throw new Problem(
        'import_state',
        `The import is ${status}; this needs one that is ${from.join(' or ')}.`,
      );
    }
    this.runner.wake();
    return this.get(id);
  }
}

function toView(job: ImportJob): ImportView {
  const {
    maxImages,
    failures,
    createdAt,
    startedAt,
    finishedAt,
    runner: _,
    leaseUntil: _until,
    ...rest
  } = job;
  return {
    ...rest,
    limit: maxImages,
    failures: failuresSchema.parse(failures),
    createdAt: createdAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    finishedAt: finishedAt?.toISOString() ?? null,
  };
}
