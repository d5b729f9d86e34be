/**
 * OpenAPI from the same Zod schemas that check the input: `@ApiRoute` describes one route,
 * `openApiDocument` collects the document. Named schemas (`.meta({ id })`) become components.
 */
import { applyDecorators } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiQuery, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { PROBLEMS, problemSchema } from '../problems/catalogue.js';
import type { ProblemCode } from '../problems/catalogue.js';

type JsonSchema = Record<string, unknown>;
type Fields = Record<string, z.ZodType>;

interface RouteDescription {
  summary: string;
  description?: string;
  tag: string;
  query?: z.ZodObject<Fields>;
  params?: z.ZodObject<Fields>;
  /** Body by content type. */
  body?: Partial<Record<'application/json' | 'multipart/form-data', z.ZodType | JsonSchema>>;
  /** Answer by status: a schema for JSON, or content types for anything else. */
  responses: Record<number, { description: string; schema?: z.ZodType; content?: readonly string[] }>;
  /** Codes that the route can answer with, besides those that every route can. */
  problems?: readonly ProblemCode[];
  /** The route changes the collection, so a key may be needed. */
  write?: boolean;
}

/** Schemas with a name, collected while routes are described. */
const components: Record<string, JsonSchema> = {};

/** Schema of a file in a form. */
export const binaryFile: JsonSchema = { type: 'string', format: 'binary' };

/** A key in either header, or none where the server asks for none. */
const KEY_IS_OPTIONAL: Record<string, string[]>[] = [{ apiKey: [] }, { bearer: [] }, {}];

/** Describes a route for the OpenAPI document. */
export function ApiRoute(route: RouteDescription): MethodDecorator {
  const requestBody = route.body && {
    required: true,
    content: Object.fromEntries(
      Object.entries(route.body).map(([type, schema]) => [
        type,
        { schema: schema instanceof z.ZodType ? convert(schema, 'input') : schema },
      ]),
    ),
  };
  const operation = {
    summary: route.summary,
    description: route.description,
    tags: [route.tag],
    responses: { ...successes(route.responses), ...failures(route) },
    ...(requestBody && { requestBody }),
    ...(route.write && { security: KEY_IS_OPTIONAL }),
  };
  return applyDecorators(
    ApiOperation(operation),
    ...parameters(route.params, 'path'),
    ...parameters(route.query, 'query'),
  );
}

/** The whole document, OpenAPI 3.0. */
export function openApiDocument(app: INestApplication, version: string): OpenAPIObject {
  const settings = new DocumentBuilder()
    .setTitle('CLIP service')
    .setDescription(
      'Zero-shot image classification and image search with a CLIP-style dual encoder. ' +
        'Errors are problem+json (RFC 9457) with a stable `code`; GET /problems lists them.',
    )
    .setVersion(version)
    .addServer('/')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, 'apiKey')
    .addBearerAuth({ type: 'http', scheme: 'bearer' }, 'bearer')
    .build();
  const document = SwaggerModule.createDocument(app, settings);
  document.components = { ...document.components, schemas: components };
  return document;
}

/** JSON schema of a Zod schema, named parts moved to the components. */
function convert(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const {
    $schema: _dialect,
    definitions,
    $defs,
    ...json
  } = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io,
    unrepresentable: 'any',
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

function parameters(schema: z.ZodObject<Fields> | undefined, place: 'path' | 'query'): MethodDecorator[] {
  const fields = Object.entries(schema?.shape ?? {});
  return fields.map(([name, field]) => {
    const { description: _inSchema, ...json } = convert(field, 'output');
    const options = { name, description: field.description, schema: json };
    if (place === 'path') return ApiParam({ ...options, required: true });
    return ApiQuery({ ...options, required: !field.safeParse(undefined).success });
  });
}

function successes(responses: RouteDescription['responses']) {
  return Object.fromEntries(
    Object.entries(responses).map(([status, { description, schema, content }]) => [
      status,
      {
        description,
        ...(schema && { content: { 'application/json': { schema: convert(schema, 'output') } } }),
        ...(content && {
          content: Object.fromEntries(content.map((type) => [type, { schema: binaryFile }])),
        }),
      },
    ]),
  );
}

function failures(route: RouteDescription) {
  const codes: ProblemCode[] = [...(route.problems ?? []), 'internal_error', 'not_ready'];
  if (route.query || route.body) codes.push('invalid_request');
  if (route.body) codes.push('malformed_body', 'request_too_large', 'unsupported_media_type');
  if (route.write) codes.push('unauthorized', 'cross_site_request');
  const byStatus = new Map<number, Set<ProblemCode>>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  const content = { 'application/problem+json': { schema: convert(problemSchema, 'output') } };
  return Object.fromEntries(
    [...byStatus].map(([status, set]) => [status, { description: [...set].join(', '), content }]),
  );
}
