/** What the routes of models take and answer. */
import { z } from 'zod';
import { storableText } from '../http/fields.js';

const generationSchema = z
  .object({
    hash: z.string().describe('Identifies the weights; embeddings of different hashes do not compare'),
    name: z.string(),
    embeddingSize: z.int(),
    state: z
      .enum(['active', 'building', 'ready', 'partial'])
      .describe(
        'active: it answers; building: it takes over when it holds every image; ready: it was complete once, and can ' +
          'answer at once; partial: it never was',
      ),
    images: z.int().describe('Images that it has encoded'),
    missing: z.int().describe('Images that it has not encoded'),
    checkpoint: z.boolean().describe('CLIP_CHECKPOINT names it'),
    available: z.boolean().describe('Its files are present, so it can be activated'),
    problem: z.string().nullable().describe('Why its build does not finish'),
    createdAt: z.iso.datetime(),
    completedAt: z.iso.datetime().nullable().describe('When it first held every image'),
  })
  .meta({ id: 'Model' });
export type GenerationView = z.infer<typeof generationSchema>;

export const generationListSchema = z
  .object({ items: z.array(generationSchema), images: z.int().describe('Images of the collection') })
  .meta({ id: 'ModelList' });

export const generationCardSchema = generationSchema
  .extend({ card: z.string().nullable().describe('README.md of the checkpoint, in Markdown') })
  .meta({ id: 'ModelCard' });

export const activationSchema = z
  .object({ hash: z.string(), state: generationSchema.shape.state })
  .meta({ id: 'Activation' });

export const generationParamsSchema = z.object({ hash: storableText.describe('Hash of the model') });
export type GenerationParams = z.infer<typeof generationParamsSchema>;
