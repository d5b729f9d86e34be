/**
 * Bodies of requests, read for the routes that declare them and only after the guards: a request without the key,
 * to an unknown route, or of another kind than the route takes is answered without reading its body.
 *
 *   @TakesBody({ json: ({ config }) => ({ maxBytes: …, maxValues: … }) })
 *   create(@RequestBody() body: Body) { … }
 */
import {
  Inject,
  Injectable,
  SetMetadata,
  UseInterceptors,
  applyDecorators,
  createParamDecorator,
} from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import type { Observable } from 'rxjs';
import type { Config } from '../../config/config.js';
import type { ModelInfo } from '../../encoder/encoder.js';
import { Problem } from '../../problems/problem.js';
import { CONFIG, MODEL } from '../../providers.js';
import { scopeOf } from '../request-scope.js';
import { markBodyRead } from '../server/unread-body.js';
import { ByteBudget } from './byte-budget.js';
import { readForm } from './form-body.js';
import type { Form, FormLimits } from './form-body.js';
import { readJson } from './json-body.js';
import type { JsonBodyLimits } from './json-body.js';

/** What limits may depend on. */
export interface LimitBasis {
  config: Config;
  model: ModelInfo;
}

/** The kinds of body that a route takes, each with its limits. */
interface BodyKinds {
  json?: (basis: LimitBasis) => JsonBodyLimits;
  form?: (basis: LimitBasis) => FormLimits;
}

/** A body that has been read. */
export type Body = { kind: 'json'; value: unknown } | { kind: 'form'; form: Form };

const BODY = Symbol('body');
const bodies = new WeakMap<Request, Body>();

/** Has the body of this route read, within its limits, before the handler runs. */
export const TakesBody = (kinds: BodyKinds): MethodDecorator =>
  applyDecorators(SetMetadata(BODY, kinds), UseInterceptors(BodyInterceptor));

/** The body that {@link TakesBody} had read. */
export const RequestBody = createParamDecorator((_data: unknown, context: ExecutionContext): Body => {
  const body = bodies.get(context.switchToHttp().getRequest<Request>());
  if (body === undefined) throw new Error('the route does not declare a body with @TakesBody');
  return body;
});

/** The value of a body on a route that takes only JSON. */
export function jsonValue(body: Body): unknown {
  if (body.kind !== 'json') throw new Error('the route takes forms too');
  return body.value;
}

/** The form on a route that takes only forms. */
export function formOf(body: Body): Form {
  if (body.kind !== 'form') throw new Error('the route takes JSON too');
  return body.form;
}

@Injectable()
class BodyInterceptor implements NestInterceptor {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(MODEL) private readonly model: () => ModelInfo,
    @Inject(ByteBudget) private readonly budget: ByteBudget,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  private get basis(): LimitBasis {
    return { config: this.config, model: this.model() };
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const kinds = this.reflector.get<BodyKinds>(BODY, context.getHandler());
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const read = this.reader(kinds, request, response);
    const lease = this.budget.lease(scopeOf(request).client);
    response.once('close', () => lease.release());
    try {
      bodies.set(request, await read(lease));
    } catch (error) {
      lease.release();
      throw error;
    }
    markBodyRead(request, response);
    return next.handle();
  }

  /** The function that reads a body of the request's content type. Throws unsupported_media_type. */
  private reader(kinds: BodyKinds, request: Request, response: Response) {
    const { MAX_REQUEST_BYTES } = this.config;
    const { json, form } = kinds;
    if (form !== undefined && typeof request.is('multipart/form-data') === 'string') {
      const limits = form(this.basis);
      const maxBytes = Math.min(limits.maxBytes, MAX_REQUEST_BYTES);
      return async (lease: ReturnType<ByteBudget['lease']>): Promise<Body> => ({
        kind: 'form',
        form: await readForm(request, response, lease, { ...limits, maxBytes }),
      });
    }
    if (json !== undefined && typeof request.is('application/json') === 'string') {
      requireUtf8(request);
      const limits = json(this.basis);
      const maxBytes = Math.min(limits.maxBytes, MAX_REQUEST_BYTES);
      return async (lease: ReturnType<ByteBudget['lease']>): Promise<Body> => ({
        kind: 'json',
        value: await readJson(request, response, lease, { ...limits, maxBytes }),
      });
    }
    const expected = [form && 'multipart/form-data', json && 'application/json'].filter(Boolean).join(' or ');
    const found = request.headers['content-type'] ?? 'no content type';
    throw new Problem('unsupported_media_type', `Expected ${expected}, found ${found}.`);
  }
}

/** JSON is UTF-8 (RFC 8259, section 8.1). */
function requireUtf8(request: Request): void {
  const charset = /;\s*charset="?([\w-]*)/i.exec(request.headers['content-type'] ?? '')?.[1];
  if (charset === undefined || /^utf-?8$/i.test(charset)) return;
  throw new Problem('unsupported_media_type', `JSON is read as UTF-8; the body says ${charset}.`);
}
