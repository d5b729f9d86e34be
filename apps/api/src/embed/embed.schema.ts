/** What POST /embed takes and answers. */
import { z } from 'zod';
import { modelText } from '../http/fields.js';

/** JSON body: texts or images, not both. */
export function embedBodySchema(limits: { MAX_TEXTS: number; MAX_TEXT_LENGTH: number; MAX_FILES: number }) {
  return z.union(
    [
      z.strictObject({
        texts: z.array(modelText.min(1).max(limits.MAX_TEXT_LENGTH)).min(1).max(limits.MAX_TEXTS),
      }),
      z.strictObject({
        images: z.array(z.string()).min(1).max(limits.MAX_FILES).describe('Image files in base64'),
      }),
    ],
    {
      error: () =>
        `expected {"texts": […]} with 1 to ${limits.MAX_TEXTS} texts of 1 to ${limits.MAX_TEXT_LENGTH} characters, ` +
        `or {"images": […]} with 1 to ${limits.MAX_FILES} images in base64`,
    },
  );
}

export const embeddingsSchema = z
  .object({
    model: z.string().describe('Hash of the model; embeddings of different models do not compare'),
    dimension: z.int(),
    embeddings: z.array(z.array(z.number())).describe('Of length 1 each, in the order of the input'),
  })
  .meta({ id: 'Embeddings' });
