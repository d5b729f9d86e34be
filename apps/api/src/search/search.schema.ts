/** What the search routes take and answer. */
import { z } from 'zod';
import {
  limitSchema,
  modelText,
  numeric,
  offsetSchema,
  storableText,
  stringListSchema,
} from '../http/fields.js';
import { imageSchema } from '../images/image.schema.js';

/** Most tags of one search. */
const MAX_TAGS = 20;

const page = {
  limit: limitSchema(20).describe('Most images to return, 1 to 100'),
  offset: offsetSchema.describe('Images to skip'),
  minScore: numeric(z.number().min(-1).max(1).optional()).describe('Leave out images with a lower cosine'),
  tag: stringListSchema(MAX_TAGS)
    .pipe(z.array(storableText.min(1).max(1000)).max(MAX_TAGS))
    .optional()
    .describe('Only images that carry this tag; repeated: all of them'),
};

/** Query of GET /search; the length of `q` depends on the settings. */
export const searchQuerySchema = (maxLength: number) =>
  z.strictObject({
    q: modelText.trim().min(1, 'expected a text').max(maxLength).describe('What to look for, in words'),
    ...page,
  });

/** Query of the searches whose body is the question. */
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
    .describe('Hash of the model that made it, as POST /embed says it; another one than answers is refused'),
});

export const imageBodySchema = z.strictObject({ inputs: z.string().describe('An image file in base64') });

export const searchResultSchema = z
  .object({
    items: z.array(
      imageSchema.extend({ score: z.number().describe('Cosine, −1 to 1') }).meta({ id: 'FoundImage' }),
    ),
    total: z.int().optional().describe('How many match in all; absent where the index does not know'),
    limit: z.int(),
    offset: z.int(),
    model: z.string().describe('Hash of the model that answered; scores of different models do not compare'),
  })
  .meta({ id: 'SearchResult' });
export type SearchResult = z.infer<typeof searchResultSchema>;
