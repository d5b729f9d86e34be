/**
 * OpenAPI from the same Zod schemas that check the input: `@ApiRoute` describes one route, under the limits of the
 * settings; `openApiDocument` collects the document. Named schemas (`.meta({ id })`) become components.
 */
import { SetMetadata } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { needOf } from '../access/scope.js';
import type { AnonymousScope, Need } from '../access/scope.js';
import type { Config } from '../config/config.js';
import { PROBLEMS, problemSchema } from '../problems/catalogue.js';
import type { ProblemCode } from '../problems/catalogue.js';
import { describeAccess } from './openapi-access.js';

type JsonSchema = Record<string, unknown>;
type Fields = Record<string, z.ZodType>;

/** A form: checked fields, and fields that are files. */
interface FormDescription {
  fields?: z.ZodObject<Fields>;
  /** `one` file in the field, or `many`. */
  files: Record<string, 'one' | 'many'>;
}

export interface RouteDescription {
  summary: string;
  description?: string;
  tag: string;
  query?: z.ZodObject<Fields>;
  params?: z.ZodObject<Fields>;
  /** JSON body. */
  json?: z.ZodType;
  /** Body as multipart/form-data. */
  form?: FormDescription;
  /** Answer by status: a schema for JSON, or content types for anything else. */
  responses: Record<number, { description: string; schema?: z.ZodType; content?: readonly string[] }>;
  /** The route asks the database, which may be away. */
  needsDatabase?: true;
  /** Codes that the route can answer with, besides those that every route can. */
  problems?: readonly ProblemCode[];
}

const ROUTE = Symbol('route');

/** Schema of a file in a form. */
const binaryFile: JsonSchema = { type: 'string', format: 'binary' };

/**
 * Routes that take a body say that they take this header: openapi-python-client 0.29.1 forgets an import where a body
 * comes in two media types and no parameter is optional, and its module then cannot be imported.
 */
const requestIdHeader: JsonSchema = {
  name: 'X-Request-Id',
  in: 'header',
  required: false,
  description: 'Id of the request in the log, accepted from a trusted proxy only',
  schema: { type: 'string' },
};

/** Describes a route for the OpenAPI document, by itself or under the limits of the settings. */
export function ApiRoute(route: RouteDescription | ((limits: Config) => RouteDescription)): MethodDecorator {
  return SetMetadata(ROUTE, typeof route === 'function' ? route : () => route);
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
      const { describe, need } = described;
      const { operationId } = found;
      const access = describeAccess(need, anonymous);
      item[method] = {
        operationId,
        ...operation(describe(config), need, components),
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

/** What `@ApiRoute` and `@Access` said of a route. */
interface DescribedRoute {
  describe: (limits: Config) => RouteDescription;
  need: Need;
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
        const route = { describe: describe as DescribedRoute['describe'], need: needOf(handler) };
        found.set(operationIdFactory(metatype.name, method), route);
      }
    }
  }
  return found;
}

/** Schemas with a name, collected while routes are described. */
type Components = Record<string, JsonSchema>;

function operation(route: RouteDescription, need: Need, components: Components): JsonSchema {
  const content = {
    ...(route.form && { 'multipart/form-data': formContent(route.form, components) }),
    ...(route.json && { 'application/json': { schema: convert(route.json, 'input', components) } }),
  };
  const hasBody = Object.keys(content).length > 0;
  return {
    summary: route.summary,
    ...(route.description !== undefined && { description: route.description }),
    tags: [route.tag],
    parameters: [
      ...parameters(route.params, 'path', components),
      ...parameters(route.query, 'query', components),
      ...(hasBody ? [requestIdHeader] : []),
    ],
    ...(hasBody && { requestBody: { required: true, content } }),
    responses: { ...successes(route.responses, components), ...failures(route, need, components) },
  };
}

/**
 * Schema and encoding of a form. Lists are sent as repeated fields, which `explode` says: without it Swagger UI
 * and some generated clients join the elements to one value.
 */
function formContent({ fields, files }: FormDescription, components: Components): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const required = [...Object.keys(files), ...(fields === undefined ? [] : requiredFields(fields))];
  for (const [name, many] of Object.entries(files)) {
    properties[name] = many === 'many' ? { type: 'array', items: binaryFile } : binaryFile;
  }
  const encoding: Record<string, JsonSchema> = {};
  for (const [name, field] of Object.entries(fields?.shape ?? {})) {
    const schema = convert(field, 'input', components);
    properties[name] = schema;
    if (schema.type === 'array') encoding[name] = { style: 'form', explode: true };
  }
  const schema = { type: 'object', required, properties, additionalProperties: false };
  return { schema, ...(Object.keys(encoding).length > 0 && { encoding }) };
}

/**
 * JSON schema of a Zod schema, named parts moved to the components. Of what clients send it shows the form after
 * parsing, with the limits; fields that may be absent are not required.
 */
function convert(schema: z.ZodType, io: 'input' | 'output', components: Components): JsonSchema {
  const {
    $schema: _dialect,
    definitions,
    $defs,
    ...json
  } = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'output',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (io !== 'input' || !(zodSchema instanceof z.ZodObject)) return;
      const required = requiredFields(zodSchema);
      if (required.length > 0) jsonSchema.required = required;
      else delete jsonSchema.required;
    },
  }) as JsonSchema & { definitions?: Record<string, JsonSchema>; $defs?: Record<string, JsonSchema> };
  for (const [name, definition] of Object.entries({ ...definitions, ...$defs })) {
    components[name] = withoutId(rewriteReferences(definition));
  }
  const result = rewriteReferences(json);
  const name = schema.meta()?.id;
  if (name === undefined) return withoutId(result);
  if (result.$ref === undefined) components[name] = withoutId(result);
  return { $ref: `#/components/schemas/${name}` };
}

function requiredFields({ shape }: z.ZodObject<Fields>): string[] {
  const fields = Object.entries(shape);
  return fields.flatMap(([name, field]) => (field.safeParse(undefined).success ? [] : [name]));
}

function withoutId({ id: _id, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

function rewriteReferences(schema: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema).replaceAll(
    /"#\/(?:definitions|\$defs|components\/schemas)\//g,
    '"#/components/schemas/',
  );
  return JSON.parse(text) as JsonSchema;
}

function parameters(
  schema: z.ZodObject<Fields> | undefined,
  place: 'path' | 'query',
  components: Components,
): JsonSchema[] {
  if (schema === undefined) return [];
  const needed = requiredFields(schema);
  return Object.entries(schema.shape).map(([name, field]) => {
    const { description: _inSchema, ...json } = convert(field, 'input', components);
    const required = place === 'path' || needed.includes(name);
    return { name, in: place, required, description: field.description, schema: json };
  });
}

function successes(responses: RouteDescription['responses'], components: Components): JsonSchema {
  return Object.fromEntries(
    Object.entries(responses).map(([status, { description, schema, content }]) => [
      status,
      {
        description,
        ...(schema && { content: { 'application/json': { schema: convert(schema, 'output', components) } } }),
        ...(content && {
          content: Object.fromEntries(content.map((type) => [type, { schema: binaryFile }])),
        }),
      },
    ]),
  );
}

function failures(route: RouteDescription, need: Need, components: Components): JsonSchema {
  const codes: ProblemCode[] = [...(route.problems ?? []), 'internal_error', 'not_ready', 'overloaded'];
  codes.push('invalid_request');
  // Routes that say so themselves wait for the model.
  if (route.problems?.includes('overloaded')) codes.push('request_too_costly');
  const hasBody = route.json !== undefined || route.form !== undefined;
  if (hasBody) codes.push('malformed_body', 'body_too_slow', 'request_too_large', 'unsupported_media_type');
  codes.push('malformed_request', 'host_not_allowed', 'rate_limited');
  if (route.needsDatabase) codes.push('database_unavailable');
  if (need !== 'open') codes.push('unauthorized');
  if (need === 'write' || need === 'admin') codes.push('insufficient_scope');
  if (hasBody || need === 'write') codes.push('cross_site_request');
  const byStatus = new Map<number, Set<ProblemCode>>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  const content = { 'application/problem+json': { schema: convert(problemSchema, 'output', components) } };
  return Object.fromEntries(
    [...byStatus].map(([status, set]) => [status, { description: [...set].join(', '), content }]),
  );
}
