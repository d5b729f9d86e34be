/** Refuses bodies that are not JSON, for routes that take nothing else. */
import { Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Request } from 'express';
import type { Observable } from 'rxjs';
import { Problem } from '../problems/problem.js';

@Injectable()
export class RequireJson implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    if (typeof request.is('application/json') === 'string') return next.handle();
    const found = request.headers['content-type'] ?? 'no content type';
    throw new Problem('unsupported_media_type', `Expected application/json, found ${found}.`);
  }
}
