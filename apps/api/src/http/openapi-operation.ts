/** A route as an operation of OpenAPI 3.0: its Zod schemas become JSON schemas, its problem codes its failures. */
import { z } from 'zod';
import type { Need } from '../access/scope.js';
import type { Config } from '../config/config.js';
import { PROBLEMS, problemSchema } from '../problems/catalogue.js';
import type { ProblemCode } from '../problems/catalogue.js';

type JsonSchema = Record<string, unknown>;
type Fields = Record<string, z.ZodType>;

/** A form: checked fields, and fields that are files. */
interface FormDescription {
  fields?: z.ZodObject<Fields>;
  /** `one` file in the field, or up to so many. */
  files: Record<string, 'one' | { maxItems: number }>;
}

export interface RouteDescription {
  summary: string;
  description?: string;
  query?: z.ZodObject<Fields>;
  params?: z.ZodObject<Fields>;
  /** JSON body. */
  json?: z.ZodType;
  /** Body as multipart/form-data. */
  form?: FormDescription;
  /** Answer by status: a schema for JSON, or content types for anything else. */
  responses: Record<number, { description: string; schema?: z.ZodType; content?: readonly string[] }>;
  /** Codes that the route can answer with, besides those that every route can. */
  problems?: readonly ProblemCode[];
}

/** What the decorators of a route and its controller say. */
export interface DescribedRoute {
  describe: (limits: Config) => RouteDescription;
  tag: string;
  need: Need;
  /** The route needs the database, which may be unavailable. */
  needsDatabase: boolean;
}

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

/** Schemas with a name, collected while routes are described. */
export type Components = Record<string, JsonSchema>;

export function operation(
  route: RouteDescription,
  described: DescribedRoute,
  components: Components,
): JsonSchema {
  const content = {
    ...(route.form && { 'multipart/form-data': formContent(route.form, components) }),
    ...(route.json && { 'application/json': { schema: convert(route.json, 'input', components) } }),
  };
  const hasBody = Object.keys(content).length > 0;
  return {
    summary: route.summary,
    ...(route.description !== undefined && { description: route.description }),
    tags: [described.tag],
    parameters: [
      ...parameters(route.params, 'path', components),
      ...parameters(route.query, 'query', components),
      ...(hasBody ? [requestIdHeader] : []),
    ],
    ...(hasBody && { requestBody: { required: true, content } }),
    responses: { ...successes(route.responses, components), ...failures(route, described, components) },
  };
}

/**
 * Schema and encoding of a form. Lists are sent as repeated fields, which `explode` says: without it Swagger UI
 * and some generated clients join the elements to one value.
 */
function formContent({ fields, files }: FormDescription, components: Components): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const required = [...Object.keys(files), ...(fields === undefined ? [] : requiredFields(fields))];
  for (const [name, count] of Object.entries(files)) {
    properties[name] =
      count === 'one'
        ? binaryFile
        : { type: 'array', items: binaryFile, minItems: 1, maxItems: count.maxItems };
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

function failures(
  route: RouteDescription,
  { need, needsDatabase }: DescribedRoute,
  components: Components,
): JsonSchema {
  const codes: ProblemCode[] = [...(route.problems ?? []), 'internal_error', 'not_ready', 'overloaded'];
  codes.push('invalid_request');
  // Routes that say so themselves wait for the model.
  if (route.problems?.includes('overloaded')) codes.push('request_too_costly');
  const hasBody = route.json !== undefined || route.form !== undefined;
  if (hasBody) codes.push('malformed_body', 'body_too_slow', 'request_too_large', 'unsupported_media_type');
  codes.push('malformed_request', 'host_not_allowed', 'rate_limited');
  if (needsDatabase) codes.push('database_unavailable');
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
