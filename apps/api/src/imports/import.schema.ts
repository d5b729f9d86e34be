/** What the import routes take and answer. */
import { z } from 'zod';
import { onDuplicateSchema } from '../images/image.schema.js';

export const importBodySchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4096)
    .refine((path) => !path.includes('\0'), 'expected a path')
    .describe(
      'A folder, or a COCO annotation file, on the server, below IMPORT_ROOT; relative paths start there',
    ),
  format: z
    .enum(['auto', 'coco', 'folder'])
    .default('auto')
    .describe('coco: annotations/captions_*.json and instances_*.json; folder: every image below the path'),
  split: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'expected a name such as val2017')
    .optional()
    .describe('Only this split of a COCO folder, e.g. val2017'),
  limit: z.int().min(1).max(100_000_000).optional().describe('Maximum number of images to import'),
  onDuplicate: onDuplicateSchema,
});
export type ImportBody = z.infer<typeof importBodySchema>;

const failureSchema = z.object({ file: z.string(), code: z.string(), detail: z.string() });
/** The first failures of a job: which file, and why. */
export const failuresSchema = z.array(failureSchema);
export type ImportFailure = z.infer<typeof failureSchema>;

export const importSchema = z
  .object({
    id: z.string(),
    path: z.string(),
    format: z.enum(['auto', 'coco', 'folder']),
    split: z.string().nullable(),
    limit: z.int().nullable(),
    onDuplicate: z.enum(['skip', 'merge', 'replace']),
    status: z.enum(['queued', 'running', 'paused', 'done', 'failed', 'cancelled']),
    total: z.int().nullable().describe('Images found; null until the folder has been read'),
    processed: z.int(),
    added: z.int(),
    duplicates: z.int().describe('Images that the collection already had'),
    failed: z.int().describe('Files that could not be imported'),
    failures: failuresSchema.describe('The first of them'),
    error: z.string().nullable().describe('Why the job as a whole failed'),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().nullable(),
    finishedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Import' });
export type ImportView = z.infer<typeof importSchema>;

export const importListSchema = z.object({ items: z.array(importSchema) }).meta({ id: 'ImportList' });
export const importParamsSchema = z.object({ id: z.string() });
export type ImportParams = z.infer<typeof importParamsSchema>;
