/**
 * Who may do what. With API_KEY set, changes to the collection (or every route but the health checks, with
 * API_KEY_SCOPE=all) need the key. Changes that a browser sends from a page of another site are refused
 * with or without a key, unless CORS_ORIGIN names that site: a service on 127.0.0.1 is within reach of any page.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, SetMetadata } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import type { Config } from '../config/config.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';

const ACCESS = Symbol('access');

/** Marks a route: 'write' changes the collection, 'open' never needs a key. Unmarked routes read. */
export const Access = (access: 'write' | 'open') => SetMetadata(ACCESS, access);

@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const access = this.reflector.get<'write' | 'open' | undefined>(ACCESS, context.getHandler());
    const request = context.switchToHttp().getRequest<Request>();
    if (access === 'write' && this.isForeignPage(request)) {
      throw new Problem('cross_site_request', 'The request comes from a page of another site.');
    }
    const { API_KEY: key, API_KEY_SCOPE: scope } = this.config;
    const needsKey = key !== undefined && (access === 'write' || (scope === 'all' && access !== 'open'));
    if (needsKey && !sameText(givenKey(request), key)) {
      throw new Problem('unauthorized', 'Send the key as "Authorization: Bearer KEY" or "X-API-Key: KEY".');
    }
    return true;
  }

  private isForeignPage(request: Request): boolean {
    if (request.get('sec-fetch-site') !== 'cross-site') return false;
    return !(this.config.CORS_ORIGIN ?? []).includes(request.get('origin') ?? '');
  }
}

function givenKey(request: Request): string {
  const bearer = /^Bearer (.+)$/i.exec(request.get('authorization') ?? '')?.[1];
  return bearer ?? request.get('x-api-key') ?? '';
}

/** Compares in a time that does not depend on where the texts differ. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
