/** The scope of each request, for the work that is done for it. */
import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { clientOf } from '../access/caller.js';
import type { RequestScope } from '../encoder/scope.js';

const scopes = new WeakMap<Request, RequestScope>();

/** The scope of a request; the same one each time. */
export function scopeOf(request: Request): RequestScope {
  let scope = scopes.get(request);
  if (scope === undefined) {
    const controller = new AbortController();
    request.res?.once('close', () => {
      if (request.res?.writableFinished !== true) controller.abort();
    });
    scope = { client: clientOf(request), signal: controller.signal };
    scopes.set(request, scope);
  }
  return scope;
}

/** The scope of the request that a handler answers. */
export const Scope = createParamDecorator((_data: unknown, context: ExecutionContext): RequestScope =>
  scopeOf(context.switchToHttp().getRequest<Request>()),
);
