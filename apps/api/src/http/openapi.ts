/**
 * OpenAPI from the same Zod schemas that check the input: `@ApiRoute` describes one route, under the limits of the
 * settings; `openApiDocument` collects the document. Named schemas (`.meta({ id })`) become components.
 */
import { SetMetadata } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService } from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import { needOf } from '../access/scope.js';
import type { AnonymousScope } from '../access/scope.js';
import type { Config } from '../config/config.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { describeAccess } from './openapi-access.js';
import { operation } from './openapi-operation.js';
import type { Components, DescribedRoute, RouteDescription } from './openapi-operation.js';

const ROUTE = Symbol('route');
const TAG = Symbol('tag');

/** Describes a route for the OpenAPI document, by itself or under the limits of the settings. */
export function ApiRoute(route: RouteDescription | ((limits: Config) => RouteDescription)): MethodDecorator {
  return SetMetadata(ROUTE, typeof route === 'function' ? route : () => route);
}

/** Under which heading the routes of a controller stand. */
export function ApiTag(tag: string): ClassDecorator {
  return SetMetadata(TAG, tag);
}

/** Names of the parameters that the query of a route may have. */
export function queryNames(handler: object, limits: Config): string[] {
  const describe = Reflect.getMetadata(ROUTE, handler) as DescribedRoute['describe'] | undefined;
  return Object.keys(describe?.(limits).query?.shape ?? {});
}

/** The whole document, OpenAPI 3.0, with the limits of `config`, and what a request without a key may do. */
export async function openApiDocument(
  app: INestApplication,
  config: Config,
  version: string,
  anonymous: AnonymousScope,
): Promise<OpenAPIObject> {
  // Loaded only now: it is a quarter of all modules of the service, which is started more often than it is described.
  const { DocumentBuilder, SwaggerModule } = await import('@nestjs/swagger');
  const settings = new DocumentBuilder()
    .setTitle('CLIP service')
    .setDescription(
      'Zero-shot image classification and image search with a CLIP-style dual encoder. ' +
        'Errors are problem+json (RFC 9457) with a stable `code`; GET /problems lists them.',
    )
    .setVersion(version)
    .addServer(config.BASE_PATH || '/')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, 'apiKey')
    .addBearerAuth({ type: 'http', scheme: 'bearer' }, 'bearer')
    .build();
  const document = SwaggerModule.createDocument(app, settings, { operationIdFactory });
  const descriptions = describedRoutes(app);
  const components: Components = {};
  for (const item of Object.values(document.paths)) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      const found = item[method];
      const described = descriptions.get(found?.operationId ?? '');
      if (found === undefined || described === undefined) continue;
      const { operationId } = found;
      const access = describeAccess(described.need, anonymous);
      item[method] = {
        operationId,
        ...operation(described.describe(config), described, components),
        ...access,
      } as typeof found;
    }
  }
  document.components = { ...document.components, schemas: components };
  return document;
}

/** `imageUpload` for the method `upload` of the ImageController: generated clients name their functions so. */
function operationIdFactory(controller: string, method: string): string {
  const noun = controller.replace(/Controller$/, '').toLowerCase();
  return noun === method ? method : `${noun}${method.charAt(0).toUpperCase()}${method.slice(1)}`;
}

/** The routes by operation id. */
function describedRoutes(app: INestApplication): Map<string, DescribedRoute> {
  const found = new Map<string, DescribedRoute>();
  for (const { metatype } of app.get(DiscoveryService).getControllers()) {
    if (typeof metatype !== 'function') continue;
    const prototype = metatype.prototype as Record<string, object>;
    for (const method of Object.getOwnPropertyNames(prototype)) {
      const handler = prototype[method]!;
      const describe: unknown = Reflect.getMetadata(ROUTE, handler);
      if (typeof describe === 'function') {
        found.set(operationIdFactory(metatype.name, method), {
          describe: describe as DescribedRoute['describe'],
          tag: String(Reflect.getMetadata(TAG, metatype)),
          need: needOf(handler),
          needsDatabase: [handler, metatype].some((target) => interceptorsOf(target).includes(NeedsDatabase)),
        });
      }
    }
  }
  return found;
}

function interceptorsOf(target: object): readonly unknown[] {
  return (Reflect.getMetadata(INTERCEPTORS_METADATA, target) as unknown[] | undefined) ?? [];
}
