/** What the search routes take and answer. */
import { z } from 'zod';
import { limitSchema, modelText, numeric, offsetSchema } from '../http/fields.js';
import { LONGEST_CURSOR } from './search-cursor.js';
import { filterFields } from '../images/filter.schema.js';
import { imageSchema } from '../images/image.schema.js';

/** Maximum number of texts of one search that images should show, and of those that they should not. */
const MAX_TEXTS = 10;

const page = {
  limit: limitSchema(20).describe('Maximum number of images to return, 1 to 100'),
  offset: offsetSchema.describe('Images to skip'),
  cursor: z
    .string()
    .max(LONGEST_CURSOR)
    .regex(/^[\w-]+$/, 'expected the nextCursor of a page')
    .optional()
    .describe(
      'nextCursor of the page before: what is added or deleted meanwhile neither repeats nor hides an image',
    ),
  minScore: numeric(z.number().min(-1).max(1).optional()).describe('Leave out images with a lower cosine'),
  ...filterFields,
};

/** Up to MAX_TEXTS texts for the model, the parameter being repeated. A JSON array is one text as any other. */
const textsSchema = (maxLength: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z.array(modelText.trim().min(1, 'expected a text').max(maxLength)).min(1).max(MAX_TEXTS),
  );

const weightsSchema = z.preprocess(
  (value) => (value === undefined ? undefined : [value].flat().map(Number)),
  z.array(z.number('expected a number').min(0.01).max(100)).max(MAX_TEXTS).optional(),
);

/** Query of GET /search; the length of a text depends on the settings. */
export const searchQuerySchema = (maxLength: number) =>
  z
    .strictObject({
      q: textsSchema(maxLength).describe('What to look for, in words; repeated: images that show all of it'),
      weight: weightsSchema.describe('How much each `q` counts, in their order; absent: all the same'),
      not: textsSchema(maxLength)
        .optional()
        .describe('What the images should not show, in words; it lowers their rank and excludes none'),
      ...page,
    })
    .refine(({ q, weight }) => weight === undefined || weight.length === q.length, {
      path: ['weight'],
      error: 'expected as many as there are of q',
    });
export type TextQuery = Omit<z.infer<ReturnType<typeof searchQuerySchema>>, keyof PageQuery>;

/** Query string of the searches whose body holds what to look for. */
export const pageQuerySchema = z.strictObject(page);
export type PageQuery = z.infer<typeof pageQuerySchema>;

export const vectorBodySchema = z.strictObject({
  vector: z
    .array(z.number())
    .min(1)
    .max(65_536)
    .describe('An embedding as POST /embed gives it; any length but 0'),
  model: z
    .string()
    .max(100)
    .optional()
    .describe(
      'Hash of the model that made it, as POST /embed says it; a vector of another model than the active one is refused',
    ),
});

export const imageBodySchema = z.strictObject({ inputs: z.string().describe('An image file in base64') });

export const searchResultSchema = z
  .object({
    items: z.array(
      imageSchema.extend({ score: z.number().describe('Cosine, −1 to 1') }).meta({ id: 'FoundImage' }),
    ),
    total: z
      .int()
      .optional()
      .describe('How many match in all; absent where the index does not know, and after a cursor'),
    limit: z.int(),
    offset: z.int(),
    nextCursor: z
      .string()
      .nullable()
      .optional()
      .describe('For the next page of the same search; null on the last one, absent after an offset'),
    model: z.string().describe('Hash of the model that answered; scores of different models do not compare'),
  })
  .meta({ id: 'SearchResult' });
export type SearchResult = z.infer<typeof searchResultSchema>;
