/** What the routes of collections take and answer. */
import { z } from 'zod';
import { pageOf, pageQuery, storableText } from '../http/fields.js';

/** Maximum number of images that one request puts into a collection or takes out. */
export const MAX_CHANGES = 1000;

const nameSchema = storableText.trim().min(1).max(200);
const imageIdsSchema = z
  .array(z.string().regex(/^[0-9a-f]{64}$/, 'expected the id of an image'))
  .max(MAX_CHANGES);

export const collectionSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    images: z.int().describe('How many images are in it'),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Collection' });
export type CollectionView = z.infer<typeof collectionSchema>;

export const newCollectionSchema = z.strictObject({
  name: nameSchema.describe('No other collection has it'),
  images: imageIdsSchema.default([]).describe('Ids of the images that are in it'),
});
export type NewCollection = z.infer<typeof newCollectionSchema>;

export const collectionChangeSchema = z
  .strictObject({
    name: nameSchema.optional().describe('A new name'),
    add: imageIdsSchema.default([]).describe('Ids of images to put in'),
    remove: imageIdsSchema.default([]).describe('Ids of images to take out; they stay where they are'),
  })
  .refine(({ name, add, remove }) => name !== undefined || add.length + remove.length > 0, {
    error: 'expected name, add or remove',
  });
export type CollectionChange = z.infer<typeof collectionChangeSchema>;

export const collectionParamsSchema = z.object({ id: z.string().describe('Id of the collection') });
export type CollectionParams = z.infer<typeof collectionParamsSchema>;

export const collectionQuerySchema = pageQuery('collections');
export type CollectionQuery = z.infer<typeof collectionQuerySchema>;

export const collectionListSchema = pageOf(collectionSchema).meta({ id: 'CollectionList' });
