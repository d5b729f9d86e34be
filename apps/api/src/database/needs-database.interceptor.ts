/**
 * Answers `database_unavailable` at once while the database is unavailable, and ends the wait of requests that it leaves
 * without an answer, all of them or one by one. Their changes may still take effect when it is back.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Response } from 'express';
import { Observable } from 'rxjs';
import { databaseUnavailable } from '../problems/outages.js';
import { DATABASE } from '../providers.js';
import type { Database } from './database.js';
import { onSlowQuery } from './query-timeout.js';

@Injectable()
export class NeedsDatabase implements NestInterceptor {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { monitor } = this.database;
    if (monitor.problem !== undefined) throw monitor.problem;
    const response = context.switchToHttp().getResponse<Response>();
    return new Observable((subscriber) => {
      const giveUp = () => {
        // A file that is being sent came from the disk and needs the database no more.
        if (!response.headersSent) subscriber.error(databaseUnavailable());
      };
      const subscription = onSlowQuery(giveUp, () => next.handle().subscribe(subscriber));
      const forget = monitor.onOutage(giveUp);
      return () => {
        forget();
        subscription.unsubscribe();
      };
    });
  }
}
