/** What POST /classify takes, as JSON in the form of Hugging Face's zero-shot pipelines or as a form, and answers. */
import { z } from 'zod';
import { stringListSchema } from '../http/fields.js';

interface TextLimits {
  MAX_LABELS: number;
  MAX_TEXT_LENGTH: number;
}

const DEFAULT_TEMPLATE = '{}';

const flag = z.preprocess(
  (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value),
  z.boolean(),
);

/** Parameters of a classification. Numbers and flags may be texts, as forms send them. */
function parameterFields({ MAX_LABELS, MAX_TEXT_LENGTH }: TextLimits) {
  return {
    labels: stringListSchema
      .pipe(
        z
          .array(z.string().trim().min(1, 'expected a text').max(MAX_TEXT_LENGTH))
          .min(1, 'expected at least one label')
          .max(MAX_LABELS),
      )
      .describe('Candidate labels'),
    hypothesis_template: z
      .string()
      .max(MAX_TEXT_LENGTH)
      .refine((template) => template.includes('{}'), 'expected {} where the label goes')
      .default(DEFAULT_TEMPLATE)
      .describe('Text around each label, e.g. "a photo of a {}"'),
    multi_label: flag
      .default(false)
      .describe('Score each label by itself (sigmoid) instead of against the others'),
    top_k: z.coerce
      .number()
      .int()
      .min(1)
      .optional()
      .meta({ description: 'Most labels to return', example: 10 }),
    threshold: z.coerce.number().min(0).max(1).optional().meta({
      description:
        'Leave out labels with a lower score; when none is left, the answer is the label "none of the above"',
      example: 0,
    }),
  };
}

/** Fields of a form beside its file `image`. */
export function classifyFormSchema(limits: TextLimits) {
  return z.strictObject(parameterFields(limits));
}

/** JSON body. */
export function classifyBodySchema(limits: TextLimits) {
  const { labels, ...rest } = parameterFields(limits);
  return z.strictObject({
    inputs: z.string().describe('An image file in base64'),
    parameters: z.strictObject({ candidate_labels: labels, ...rest }),
  });
}

/** One label with its score; the answer is an array of these, best first. */
export const classificationSchema = z
  .array(
    z
      .object({
        label: z.string(),
        score: z.number().describe('Probability, 0 to 1'),
        similarity: z.number().describe('Cosine of image and label, −1 to 1'),
      })
      .meta({ id: 'LabelScore' }),
  )
  .meta({ id: 'Classification' });

export type ClassifyParameters = z.infer<ReturnType<typeof classifyFormSchema>>;
