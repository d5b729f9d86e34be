/**
 * The progress of a job as server-sent events, until it has ended: an event for each change, a comment now and then
 * so that proxies keep the connection. Streams are few, and end with the service.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import type { Response } from 'express';
import { Problem } from '../problems/problem.js';
import type { ImportView } from './import.schema.js';
import { ImportService } from './import.service.js';

/** Streams at one time. */
const MOST_STREAMS = 32;
/** How often a job is looked at, in milliseconds. */
const INTERVAL = 500;
/** Longest silence of a stream, in milliseconds. */
const HEARTBEAT = 15_000;
const ENDED: readonly ImportView['status'][] = ['done', 'failed', 'cancelled'];

@Injectable()
export class ImportEvents implements BeforeApplicationShutdown {
  private readonly stop = new AbortController();
  private streams = 0;

  constructor(@Inject(ImportService) private readonly imports: ImportService) {}

  beforeApplicationShutdown(): void {
    this.stop.abort();
  }

  /** Sends the job whenever it has changed, until it ends. Throws `import_not_found`, `overloaded`. */
  async send(id: string, response: Response): Promise<void> {
    if (this.streams >= MOST_STREAMS) {
      throw new Problem(
        'overloaded',
        `${MOST_STREAMS} streams are open already. Ask GET /imports/:id instead.`,
        {
          retryAfter: 5,
        },
      );
    }
    this.streams++;
    try {
      const job = await this.imports.get(id);
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        // nginx would hold events back to fill its buffer.
        'X-Accel-Buffering': 'no',
      });
      await this.follow(job, response);
    } finally {
      this.streams--;
    }
  }

  private async follow(first: ImportView, response: Response): Promise<void> {
    let job = first;
    let sent = '';
    let lastWrite = performance.now();
    try {
      while (!response.destroyed && !this.stop.signal.aborted) {
        const text = JSON.stringify(job);
        // A client that reads slowly gets the latest state later, not every state.
        const isNew = text !== sent && !response.writableNeedDrain;
        if (isNew || performance.now() - lastWrite > HEARTBEAT) {
          response.write(isNew ? `event: progress\ndata: ${text}\n\n` : ': still there\n\n');
          lastWrite = performance.now();
        }
        if (isNew) sent = text;
        if (sent === text && ENDED.includes(job.status)) break;
        await delay(INTERVAL, undefined, { signal: this.stop.signal });
        job = await this.imports.get(job.id);
      }
    } catch {
      // The service ends, or the database is unavailable: the client connects again and is told.
    }
    response.end();
  }
}
