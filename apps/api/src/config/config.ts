/**
 * Settings of the service: environment variables only, read and checked in this one file.
 * The Zod schema is the check, the type and the text of `--help`.
 */
import { delimiter, resolve } from 'node:path';
import { IMAGE_FORMATS, OPTIONAL_IMAGE_FORMATS } from '@clip-ts/clip';
import { z } from 'zod';
import { StartError } from '../start-error.js';
import {
  BASE_PATH_PATTERN,
  HOST_PATTERN,
  count,
  folder,
  isOrigin,
  isProxyAddress,
  listOf,
} from './values.js';

const MIB = 1024 * 1024;
/** Formats that can be accepted. */
const FORMATS = [...IMAGE_FORMATS, ...OPTIONAL_IMAGE_FORMATS];

/** Each variable with its default; `describe` is the line of the help text. */
const environmentSchema = z.object({
  CLIP_CHECKPOINT: z
    .string()
    .describe('Checkpoint folder (config.json, tokenizer.json, onnx/…) or a hub id. Required.'),
  HOST: z.string().default('127.0.0.1').describe('Address to listen on; 0.0.0.0 for all of the machine.'),
  PORT: count(0, 65_535, 3000).describe('Port to listen on; 0 picks a free one.'),
  BASE_PATH: z
    .string()
    .transform((path) => path.replace(/\/$/, ''))
    .pipe(z.string().regex(BASE_PATH_PATTERN, 'expected a path such as /clip, of letters, digits and -._~'))
    .default('')
    .describe(
      'Path below which a proxy in front publishes the service, such as /clip; the proxy may strip it or not.',
    ),
  DATA_DIR: folder
    .default(resolve('data/api'))
    .describe('Folder of the embedded database, images and index.'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected postgresql://user:password@host:port/database')
    .optional()
    .describe('PostgreSQL to use instead of the embedded database.'),
  IMPORT_ROOT: z
    .string()
    .transform((paths) =>
      paths
        .split(delimiter)
        .filter((path) => path !== '')
        .map((path) => resolve(path)),
    )
    .default([])
    .describe(`Folders that POST /imports may read, separated by "${delimiter}". Empty: imports are off.`),
  API_KEY: z
    .string()
    .min(16, 'expected at least 16 characters')
    .max(256, 'expected at most 256 characters')
    .regex(
      /^[!-~]([ -~]*[!-~])?$/,
      'expected ASCII characters, as headers carry them, and no space at either end',
    )
    .optional()
    .describe('Key that may do everything; sent as "Authorization: Bearer KEY" or "X-API-Key: KEY".'),
  API_KEYS_FILE: folder
    .optional()
    .describe('JSON file of named keys with scopes and hashes (see docs/api.md); read again on SIGHUP.'),
  API_KEY_SCOPE: z
    .enum(['writes', 'all'])
    .default('writes')
    .describe('What needs a key: changes to the collection, or every route but the health checks.'),
  CORS_ORIGIN: z
    .string()
    .transform(listOf)
    .pipe(
      z.array(
        z.url({ protocol: /^https?$/ }).refine(isOrigin, 'expected an origin such as https://app.example'),
      ),
    )
    .transform((origins) => origins.map((origin) => new URL(origin).origin))
    .optional()
    .describe('Origins of other web pages that may call the API, separated by commas.'),
  ALLOWED_HOSTS: z
    .string()
    .transform((hosts) => listOf(hosts.toLowerCase()))
    .pipe(
      z.array(
        z.string().regex(HOST_PATTERN, 'expected names such as clip.example or *.clip.example, without port'),
      ),
    )
    .optional()
    .describe(
      'Host names that the service answers to, separated by commas; *.name: its sub-domains; *: any.',
    ),
  TRUST_PROXY: z
    .string()
    .default('')
    .transform((text) => (/^\d{1,2}$/.test(text) ? Number(text) : text === '' ? false : listOf(text)))
    .refine(
      (proxies) => typeof proxies !== 'object' || proxies.every(isProxyAddress),
      'expected a number of proxies, or addresses and subnets such as 10.0.0.0/8 or loopback, separated by commas',
    )
    .transform((proxies) => (proxies === 0 ? false : proxies))
    .describe(
      'Proxies whose X-Forwarded-For, -Proto and -Host are trusted: how many, or their addresses and subnets.',
    ),
  RATE_LIMIT: count(0, 1_000_000, 0).describe(
    'Requests per minute allowed to one API key, or to one address without a key; 0: no limit.',
  ),
  STRIP_METADATA: z
    .enum(['0', '1'])
    .default('1')
    .transform((value) => value === '1')
    .describe(
      '1: files are served without GPS, camera data and other metadata, originals to admins; 0: as uploaded.',
    ),
  IMAGE_FORMATS: z
    .string()
    .transform(listOf)
    .pipe(z.array(z.enum(FORMATS, `expected some of ${FORMATS.join(', ')}`)).min(1))
    .default([...IMAGE_FORMATS])
    .describe(
      `Formats of images that are accepted, separated by commas; avif and tiff only where they are listed.`,
    ),
  MAX_IMAGE_BYTES: count(1, 1024 * MIB, 20 * MIB).describe('Largest image file, in bytes.'),
  MAX_IMAGE_PIXELS: count(1, 1_000_000_000, 32_000_000).describe(
    'Largest image, in pixels (width × height).',
  ),
  MAX_FILES: count(1, 1000, 32).describe('Maximum number of images in one request.'),
  MAX_REQUEST_BYTES: count(1024, 4096 * MIB, 64 * MIB).describe('Largest request body, in bytes.'),
  MAX_BYTES_IN_FLIGHT: count(1024, 65_536 * MIB, 256 * MIB).describe(
    'Bytes of request bodies in memory at one time, at least 4 × MAX_REQUEST_BYTES; one client has half at most.',
  ),
  MAX_DECODE_BYTES: count(1, 65_536 * MIB, 256 * MIB).describe(
    'Memory that decoding images may take at one time, and one image by itself, in bytes; at least 4 × MAX_IMAGE_PIXELS.',
  ),
  MAX_REQUESTS: count(1, 100_000, 256).describe(
    'Requests worked on at one time, half of them for one client; beyond it: 503.',
  ),
  MAX_CONNECTIONS: count(1, 1_000_000, 2000).describe(
    'Connections at one time, half of them for one address that is no trusted proxy.',
  ),
  MAX_LABELS: count(1, 100_000, 1000).describe('Maximum number of candidate labels in one request.'),
  MAX_TEXTS: count(1, 10_000, 256).describe('Maximum number of texts in one request to /embed.'),
  MAX_TEXT_LENGTH: count(1, 100_000, 1000).describe(
    'Longest label, query or text, and longest label within its template, in characters.',
  ),
  MAX_COMPUTE: count(1, 1_000_000_000, 4000).describe(
    'Computing that one request may ask for, in units: a text 1, and 1 for each 100 characters; an image 4, and 1 for each megapixel.',
  ),
  COMPUTE_LIMIT: count(0, 1_000_000_000, 30_000).describe(
    'Computing per minute for one client, in the same units, without cached texts; beyond it: 429. 0: no limit.',
  ),
  ENCODER_THREADS: count(1, 64, 1).describe('Worker threads that run the model, each with its own copy.'),
  ENCODER_BATCH: count(1, 256, 16).describe('Maximum number of images or texts in one run of the model.'),
  ENCODER_QUEUE: count(1, 10_000_000, 4096).describe(
    'Images and texts that may wait, at least twice as many as one request may hold; beyond it: 503.',
  ),
  EMBEDDING_CACHE: count(0, 10_000_000, 10_000).describe('Text embeddings kept in memory.'),
  PRECISION: z
    .enum(['auto', 'fp32', 'fp16', 'q8', 'int8', 'uint8'])
    .default('auto')
    .describe('Which of the ONNX models of the checkpoint to use; auto: the most precise one there is.'),
  DEMO: z
    .enum(['admin', 'read', 'off'])
    .default('admin')
    .describe(
      'Who may load the model into a browser, on the page /demo: its files leave the server. Everyone may where there are no keys.',
    ),
  DEMO_HUB: z
    .enum(['0', '1'])
    .default('0')
    .transform((value) => value === '1')
    .describe('1: the page /demo may also load models of the Hugging Face hub (?model=…), from there.'),
  MODEL_BUILD_RATE: count(0, 1_000_000_000, 0).describe(
    'Images per minute that a new model encodes in the background before it takes over; 0: as many as it can.',
  ),
  MODELS_KEPT: count(0, 100, 1).describe(
    'Models that were active before, whose embeddings and files are kept so that they can be activated again.',
  ),
  EXACT_SEARCH_LIMIT: count(0, 10_000_000, 10_000).describe(
    'Up to this many images search compares with each; above it uses HNSW graphs.',
  ),
  LOG_LEVEL: z
    .enum(['error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('Lowest level that is logged: error, warn, info (every request too) or debug.'),
  LOG_FORMAT: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .describe('json: one object per line; text: for people; auto: text on a terminal, JSON elsewhere.'),
  IMPORT_LEASE: count(3, 3600, 15).describe(
    'Seconds after which another service with the same DATABASE_URL resumes the imports and builds of one that died.',
  ),
  SHUTDOWN_TIMEOUT: count(0, 600, 10).describe(
    'Seconds that running requests get to finish when the service stops.',
  ),
});

/** Rules between settings. */
const checkedSchema = environmentSchema.superRefine((config, context) => {
  const atLeast = (name: keyof typeof config, least: number, why: string) => {
    if (Number(config[name]) >= least) return;
    context.addIssue({ code: 'custom', path: [name], message: `expected at least ${least}, ${why}` });
  };
  const largest = Math.max(config.MAX_LABELS, config.MAX_TEXTS, config.MAX_FILES);
  atLeast('MAX_BYTES_IN_FLIGHT', 4 * config.MAX_REQUEST_BYTES, '4 × MAX_REQUEST_BYTES');
  atLeast('MAX_DECODE_BYTES', 4 * config.MAX_IMAGE_PIXELS, '4 × MAX_IMAGE_PIXELS');
  atLeast('ENCODER_QUEUE', 2 * largest, 'twice the largest of MAX_LABELS, MAX_TEXTS and MAX_FILES');
  if (config.COMPUTE_LIMIT !== 0) atLeast('COMPUTE_LIMIT', config.MAX_COMPUTE, 'MAX_COMPUTE, or 0');
});

/** The checked settings. Keys are the variables' names; byte and pixel limits are numbers. */
export type Config = Readonly<z.output<typeof environmentSchema>>;

/** The settings cannot be used; each line of `problems` names a variable, what is wrong, and what it held. */
export class ConfigError extends StartError {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(`Settings that cannot be used:\n${problems.map((line) => `  ${line}`).join('\n')}`);
  }
}

/**
 * Reads the settings from the environment. An empty variable counts as absent.
 * Throws {@link ConfigError} with every variable that cannot be used.
 */
export function readConfig(environment: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(
    Object.keys(environmentSchema.shape).map((name) => [name, environment[name] || undefined]),
  );
  const parsed = checkedSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      if (given[name] === undefined && issue.code !== 'custom') {
        return `${name} is not set. ${environmentSchema.shape[name as keyof Config].description ?? ''}`;
      }
      const found =
        name === 'API_KEY' || name === 'DATABASE_URL'
          ? 'a value not shown here'
          : (given[name] ?? 'the default');
      return `${name}: ${issue.message}; found ${found}`;
    }),
  );
}

/** The text of `--help`: every variable with what it means and its default. */
export function helpText(): string {
  const width = Math.max(...Object.keys(environmentSchema.shape).map((name) => name.length));
  const lines = Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const fallback = schema instanceof z.ZodOptional ? undefined : schema.safeParse(undefined).data;
    const shown = Array.isArray(fallback) ? fallback.join(delimiter) : fallback === true ? 1 : fallback;
    const suffix = shown === undefined || shown === '' || shown === false ? '' : ` [${shown}]`;
    return `  ${name.padEnd(width)}  ${schema.description ?? ''}${suffix}`;
  });
  return [
    'Serves a CLIP checkpoint: zero-shot classification and image search.',
    '',
    'Usage: CLIP_CHECKPOINT=FOLDER [VARIABLE=VALUE …] node apps/api/dist/main.js [--help]',
    '',
    'Settings are environment variables; [defaults] in brackets:',
    ...lines,
    '',
    'Pages: / (search and classify), /docs (Swagger UI), /openapi.json, /healthz, /readyz, /metrics.',
    '',
  ].join('\n');
}
