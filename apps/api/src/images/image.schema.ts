/** What a client sees of an image, and what it may send with one. One Zod schema each: check, type, OpenAPI. */
import { z } from 'zod';
import { flagSchema, limitSchema, offsetSchema, storableText, stringListSchema } from '../http/fields.js';
import { filterFields } from './filter.schema.js';
import { ORDERS, isCursor } from './list-order.js';

/** An image of the collection. */
export const imageSchema = z
  .object({
    id: z.string().describe('SHA-256 of the file'),
    url: z.string().describe('Path of the original file'),
    thumbnailUrl: z.string().describe('Path of a WebP of at most 320 × 320 pixels'),
    mediaType: z.string(),
    width: z.int(),
    height: z.int(),
    bytes: z.int(),
    fileName: z.string().nullable(),
    caption: z.string().nullable().describe('The first caption'),
    captions: z.array(z.string()),
    tags: z.array(z.string()),
    revision: z.int().describe('Grows with each change of captions or tags; If-Match of PATCH takes it'),
    createdAt: z.iso.datetime(),
    takenAt: z
      .string()
      .nullable()
      .describe(
        'When it was taken, by the clock of the place and with its offset from UTC where the camera wrote that: ' +
          '2026-06-12T18:32:05+02:00',
      ),
  })
  .meta({ id: 'Image' });
export type ImageView = z.infer<typeof imageSchema>;

const uploadedImageSchema = imageSchema
  .extend({
    status: z.enum(['created', 'duplicate']),
    merged: z
      .object({
        captions: z.array(z.string()),
        tags: z.array(z.string()),
        file: z.boolean().describe('The stored file had been lost and was restored'),
      })
      .optional()
      .describe('Of a duplicate: what it added to the stored image'),
  })
  .meta({ id: 'UploadedImage' });
export type UploadedImage = z.infer<typeof uploadedImageSchema>;

/** The answer to an upload: every file with its image, in the order of the files. */
export const uploadResultSchema = z
  .object({ items: z.array(uploadedImageSchema) })
  .meta({ id: 'UploadResult' });

export const listQuerySchema = z
  .strictObject({
    limit: limitSchema(20).describe('Maximum number of images to return, 1 to 100'),
    offset: offsetSchema.describe('Images to skip'),
    order: z
      .enum(ORDERS)
      .default('newest')
      .describe('By when they were added, or taken: those whose file gives no date then come last'),
    ...filterFields,
    cursor: z
      .string()
      .max(32)
      .optional()
      .describe(
        'nextCursor of the page before: what is added or deleted meanwhile neither repeats nor hides an image',
      ),
  })
  .refine(({ cursor, order }) => cursor === undefined || isCursor(cursor, order), {
    path: ['cursor'],
    error: 'expected the nextCursor of a page in the same order',
  });
export type ListQuery = z.infer<typeof listQuerySchema>;

export const imageListSchema = z
  .object({
    items: z.array(imageSchema),
    total: z.int(),
    limit: z.int(),
    offset: z.int(),
    nextCursor: z.string().nullable().describe('For the next page; null on the last one'),
  })
  .meta({ id: 'ImageList' });
export type ImageList = z.infer<typeof imageListSchema>;

export const fileQuerySchema = z.strictObject({
  original: flagSchema(false).describe('The bytes as uploaded, with all metadata'),
});
export type FileQuery = z.infer<typeof fileQuerySchema>;

export const imageParamsSchema = z.object({ id: z.string().describe('SHA-256 of the file') });
export type ImageParams = z.infer<typeof imageParamsSchema>;

/** Maximum number of captions, and of tags, of one upload. */
export const MAX_LIST = 100;
const shortText = storableText.trim().min(1).max(1000);

/** Captions and tags that take the place of those that an image has. */
export const changeBodySchema = z
  .strictObject({
    captions: z.array(shortText).max(MAX_LIST).optional(),
    tags: z.array(shortText).max(MAX_LIST).optional(),
  })
  .refine(({ captions, tags }) => captions !== undefined || tags !== undefined, {
    message: 'expected captions, tags or both',
  });
export type ImageChange = z.infer<typeof changeBodySchema>;

/** What happens to captions and tags of an image that comes again. */
export const onDuplicateSchema = z
  .enum(['skip', 'merge', 'replace'])
  .default('merge')
  .describe(
    'What happens to captions and tags of images that are there already: they stay, missing ones are added, or those ' +
      'that came take their place',
  );
export type OnDuplicate = z.infer<typeof onDuplicateSchema>;

/** Fields beside the files of an upload; they apply to every file of the request. */
export const uploadFieldsSchema = z.strictObject({
  captions: stringListSchema(MAX_LIST).pipe(z.array(shortText).max(MAX_LIST)).default([]),
  tags: stringListSchema(MAX_LIST).pipe(z.array(shortText).max(MAX_LIST)).default([]),
  onDuplicate: onDuplicateSchema,
});
export type UploadFields = z.infer<typeof uploadFieldsSchema>;
