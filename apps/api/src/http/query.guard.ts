/** Refuses parameters in the query that the route does not know, on every route, before a body is read. */
import { Inject, Injectable } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Config } from '../config/config.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { queryNames } from './openapi.js';

@Injectable()
export class QueryGuard implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  canActivate(context: ExecutionContext): boolean {
    const given = Object.keys(context.switchToHttp().getRequest<Request>().query);
    if (given.length === 0) return true;
    const known = queryNames(context.getHandler(), this.config);
    const unknown = given.filter((name) => !known.includes(name));
    if (unknown.length === 0) return true;
    const expected = known.length === 0 ? 'the route takes none' : `expected ${known.join(', ')}`;
    const detail = `there is no such parameter; ${expected}`;
    throw new Problem(
      'invalid_request',
      `Query: ${unknown.map((name) => JSON.stringify(name)).join(', ')}: ${detail}`,
      {
        errors: unknown.map((field) => ({ field, detail })),
      },
    );
  }
}
