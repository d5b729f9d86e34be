/**
 * Lets a request reach its route when its caller may do what the route needs.
 *
 * Without any key configured everybody may do everything. With keys, a request without one may read
 * (API_KEY_SCOPE=writes) or nothing but the health checks (API_KEY_SCOPE=all), and a key may do what its scope allows.
 * An unknown key is refused even where none is needed: its sender believes that it works.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Config } from '../config/config.js';
import { Problem } from '../problems/problem.js';
import { CONFIG, KEYS } from '../providers.js';
import type { KeyRing } from './api-keys.js';
import { auditRefusal, isAudited } from './audit.js';
import { identify } from './caller.js';
import { covers, needOf } from './scope.js';
import type { AnonymousScope, Need } from './scope.js';

@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(KEYS) private readonly keys: KeyRing,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const need = needOf(context.getHandler());
    try {
      this.demand(request, need);
    } catch (error) {
      if (isAudited(request, need)) auditRefusal(request, identify(request, this.keys), error);
      throw error;
    }
    return true;
  }

  /** Throws `unauthorized` or `insufficient_scope` when the caller may not do what needs `need`. */
  demand(request: Request, need: Need): void {
    if (need === 'open') return;
    const { key, unknownKey } = identify(request, this.keys);
    if (unknownKey) {
      throw new Problem('unauthorized', 'The API key is not known, or more than one was sent.');
    }
    const held = key?.scope ?? anonymousScope(this.config, this.keys);
    if (held !== undefined && covers(held, need)) return;
    if (key !== undefined) {
      throw new Problem(
        'insufficient_scope',
        `This needs a key with the scope ${need}; the key ${key.name} has ${key.scope}.`,
      );
    }
    throw new Problem('unauthorized', 'Send a key as "Authorization: Bearer KEY" or "X-API-Key: KEY".');
  }
}

/** What a request without a key may do; undefined: nothing but the health checks. */
export function anonymousScope(
  { API_KEY_SCOPE }: Pick<Config, 'API_KEY_SCOPE'>,
  keys: KeyRing,
): AnonymousScope {
  if (keys.isEmpty) return 'admin';
  return API_KEY_SCOPE === 'writes' ? 'read' : undefined;
}
