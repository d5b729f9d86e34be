/**
 * One line of the log for each change and each refused try: who (name of the key, address), what (method and route),
 * which ids, with what outcome, in which request. Imports, which change the collection behind a request, log their own.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import { tap } from 'rxjs';
import type { Observable } from 'rxjs';
import { toProblem } from '../problems/translate.js';
import { KEYS } from '../providers.js';
import type { KeyRing } from './api-keys.js';
import { identify } from './caller.js';
import type { Caller } from './caller.js';
import { needOf } from './scope.js';
import type { Need } from './scope.js';

interface Outcome {
  outcome: 'done' | 'refused' | 'failed';
  status: number;
  /** Code of the problem that it was refused or failed with. */
  code?: string;
  /** Images, jobs or models that the request named or made. */
  ids: string[];
}

/** Longest id that is logged: those of images have 64 characters. */
const MAX_ID = 80;

/** True for requests that change something. */
export function isAudited(request: Request, need: Need): boolean {
  return (need === 'write' || need === 'admin') && request.method !== 'GET' && request.method !== 'HEAD';
}

@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(@Inject(KEYS) private readonly keys: KeyRing) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    if (!isAudited(request, needOf(context.getHandler()))) return next.handle();
    const caller = identify(request, this.keys);
    return next.handle().pipe(
      tap({
        next: (result: unknown) => {
          const { statusCode: status } = http.getResponse<Response>();
          audit(request, caller, {
            outcome: 'done',
            status,
            ids: [...namedIds(request), ...madeIds(result)],
          });
        },
        error: (error: unknown) => {
          auditRefusal(request, caller, error);
        },
      }),
    );
  }
}

/** Logs a change that was not made. */
export function auditRefusal(request: Request, caller: Caller, error: unknown): void {
  const { status, code } = toProblem(error);
  const outcome = status >= 500 ? 'failed' : 'refused';
  audit(request, caller, { outcome, status, code, ids: namedIds(request) });
}

function audit(request: Request, { address, key }: Caller, result: Outcome): void {
  const { path } = request.route as { path: string };
  const action = `${request.method} ${path}`;
  const who = { keyName: key?.name ?? null, address };
  request.log.info(
    { context: 'Audit', audit: { action, ...who, ...result } },
    `${action}: ${result.outcome}`,
  );
}

function namedIds(request: Request): string[] {
  const { id, hash } = request.params;
  return [id, hash].flatMap((one) => (typeof one === 'string' ? [one.slice(0, MAX_ID)] : []));
}

/** The ids in an answer: `{ id }` or `{ items: [{ id }] }`. */
function madeIds(result: unknown): string[] {
  if (typeof result !== 'object' || result === null) return [];
  const items: unknown[] = 'items' in result && Array.isArray(result.items) ? result.items : [result];
  return items.flatMap((item) =>
    typeof item === 'object' && item !== null && 'id' in item && typeof item.id === 'string' ? [item.id] : [],
  );
}
