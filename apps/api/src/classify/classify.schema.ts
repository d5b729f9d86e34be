/** What POST /classify takes, as JSON in the form of Hugging Face's zero-shot pipelines or as a form, and answers. */
import { NONE_OF_THE_ABOVE, REFERENCE_LABELS, TEMPLATE_SETS } from '@clip-ts/clip';
import { z } from 'zod';
import { flagSchema, numeric, stringListSchema, modelText } from '../http/fields.js';

interface TextLimits {
  MAX_LABELS: number;
  MAX_TEXT_LENGTH: number;
  MAX_COMPUTE: number;
}

/** Most templates of one request: as many as the largest set has, and some more. */
const MAX_TEMPLATES = 100;

const DEFAULT_TEMPLATE = '{}';

/**
 * Candidate labels: an array, repeated fields, or one text, which is split at its commas as Hugging Face's
 * pipelines do, so that a client which joins its labels never gets the score of one label. A label with a comma
 * comes in an array; in a form, in a JSON array.
 */
function labelsSchema({ MAX_LABELS, MAX_TEXT_LENGTH }: TextLimits) {
  return z
    .preprocess(
      (value) =>
        typeof value === 'string' && !value.trimStart().startsWith('[')
          ? splitLabels(value, MAX_LABELS)
          : value,
      stringListSchema(MAX_LABELS).pipe(
        z
          .array(modelText.trim().min(1, 'expected a text').max(MAX_TEXT_LENGTH))
          .min(1, 'expected at least one label')
          .max(MAX_LABELS),
      ),
    )
    .describe('Candidate labels; one text is split at its commas');
}

/** The texts between commas. Far more parts than labels are left as they are, and refused for their number. */
function splitLabels(text: string, most: number): string[] {
  const parts = text.split(',', 2 * most + 2);
  if (parts.length > 2 * most + 1) return parts;
  return parts.map((label) => label.trim()).filter((label) => label !== '');
}

/** Parameters of a classification. Numbers and flags may be texts, as forms send them. */
function parameterFields(limits: TextLimits) {
  return {
    labels: labelsSchema(limits),
    hypothesis_template: z
      .preprocess(
        (value) => value ?? undefined,
        z
          .string()
          .max(limits.MAX_TEXT_LENGTH)
          .refine((template) => template.includes('{}'), 'expected {} where the label goes')
          .default(DEFAULT_TEMPLATE),
      )
      .describe('Text around each label, e.g. "a photo of a {}"'),
    templates: stringListSchema(MAX_TEMPLATES)
      .pipe(
        z
          .array(
            z
              .string()
              .max(limits.MAX_TEXT_LENGTH)
              .refine(
                (template) => template.includes('{}') || Object.hasOwn(TEMPLATE_SETS, template),
                `expected {} where the label goes, or a set: ${Object.keys(TEMPLATE_SETS).join(', ')}`,
              ),
          )
          .min(1)
          .max(MAX_TEMPLATES),
      )
      .optional()
      .meta({
        description:
          'Several templates, or the name of a set (clip-7, clip-80), instead of hypothesis_template: each label is the ' +
          'mean over them',
        // Swagger UI sends it for a list that is left alone; without it, the text "string".
        example: ['{}'],
      }),
    multi_label: flagSchema(false).describe(
      'Judge each label by itself: the probability that it describes the image, whatever the others are',
    ),
    background: flagSchema(false).describe(
      `Add the class "${NONE_OF_THE_ABOVE}", which wins when no label describes the image`,
    ),
    top_k: numeric(z.int().min(1).optional()).meta({ description: 'Most labels to return', example: 10 }),
    threshold: numeric(z.number().min(0).max(1).optional()).meta({
      description: `Leave out labels with a lower score; when none is left, the answer is "${NONE_OF_THE_ABOVE}"`,
      example: 0,
    }),
  };
}

const RESTS_NAME = `"${NONE_OF_THE_ABOVE}" is the class that background adds; leave it out of the labels`;

interface LabelsInTemplates {
  labels: readonly string[];
  hypothesis_template: string;
  templates?: readonly string[];
  multi_label: boolean;
  background: boolean;
}

/** The templates of a request, sets by their members. */
export function templatesOf({
  templates,
  hypothesis_template,
}: Pick<LabelsInTemplates, 'templates' | 'hypothesis_template'>): string[] {
  if (templates === undefined) return [hypothesis_template];
  return [...new Set(templates.flatMap((template) => TEMPLATE_SETS[template] ?? [template]))];
}

/**
 * The texts that the templates make of the labels must be neither too long nor too many. Judged before any is
 * made: 1,000 labels in a template of 500 places are a thousand times the request.
 */
function requireModestPrompts(
  request: LabelsInTemplates,
  { MAX_TEXT_LENGTH, MAX_COMPUTE }: TextLimits,
  refuse: (field: 'hypothesis_template' | 'templates', message: string) => void,
): void {
  const { labels, templates, hypothesis_template, multi_label, background } = request;
  const field = templates === undefined ? 'hypothesis_template' : 'templates';
  if (templates !== undefined && hypothesis_template !== DEFAULT_TEMPLATE) {
    refuse('templates', 'expected hypothesis_template or templates, found both');
  }
  const longestLabel = labels.reduce((length, label) => Math.max(length, label.length), 0);
  const all = templatesOf(request);
  const longest = all.reduce((length, template) => {
    const places = template.split('{}').length - 1;
    return Math.max(length, template.length + places * (longestLabel - '{}'.length));
  }, 0);
  if (longest > MAX_TEXT_LENGTH) {
    refuse(
      field,
      `with the longest label in it a text of ${longest} characters; at most ${MAX_TEXT_LENGTH} are accepted`,
    );
  }
  const referenceLabels = multi_label || background ? REFERENCE_LABELS.length : 0;
  const texts = (labels.length + referenceLabels) * all.length;
  if (all.length > 1 && texts > MAX_COMPUTE) {
    refuse(
      field,
      `${all.length} templates make ${texts} texts; at most ${MAX_COMPUTE} are accepted (MAX_COMPUTE)`,
    );
  }
}

/** Fields of a form beside its file `image`. */
export function classifyFormSchema(limits: TextLimits) {
  return z
    .strictObject(parameterFields(limits))
    .refine(({ background, labels }) => !(background && labels.includes(NONE_OF_THE_ABOVE)), {
      message: RESTS_NAME,
      path: ['labels'],
    })
    .superRefine((request, context) => {
      requireModestPrompts(request, limits, (field, message) =>
        context.addIssue({ code: 'custom', path: [field], message }),
      );
    });
}

/** JSON body. */
export function classifyBodySchema(limits: TextLimits) {
  const { labels, ...rest } = parameterFields(limits);
  return z.strictObject({
    inputs: z
      .preprocess(imageOf, z.string())
      .describe('An image file in base64, alone or in a data: URL; {"image": …} is taken as well'),
    parameters: z
      .strictObject({ candidate_labels: labels, ...rest })
      .refine(
        ({ background, candidate_labels }) => !(background && candidate_labels.includes(NONE_OF_THE_ABOVE)),
        { message: RESTS_NAME, path: ['candidate_labels'] },
      )
      .superRefine(({ candidate_labels, ...request }, context) => {
        requireModestPrompts({ labels: candidate_labels, ...request }, limits, (field, message) =>
          context.addIssue({ code: 'custom', path: [field], message }),
        );
      }),
    options: z
      .strictObject({ use_cache: flagSchema(true), wait_for_model: flagSchema(false) })
      .optional()
      .describe('Taken from clients of Hugging Face; answers do not depend on it'),
  });
}

/** The JavaScript client of Hugging Face sends the image as `{ image }`, the Python client as it is. */
function imageOf(inputs: unknown): unknown {
  if (typeof inputs !== 'object' || inputs === null || Object.keys(inputs).join() !== 'image') return inputs;
  return (inputs as { image: unknown }).image;
}

/** One label with its score; the answer is an array of these, best first. */
export const classificationSchema = z
  .array(
    z
      .object({
        label: z.string(),
        score: z.number().describe('Probability, 0 to 1'),
        similarity: z
          .number()
          .describe(`Cosine of image and label, −1 to 1; of "${NONE_OF_THE_ABOVE}" the best of the labels`),
      })
      .meta({ id: 'LabelScore' }),
  )
  .meta({ id: 'Classification' });

export type ClassifyParameters = z.infer<ReturnType<typeof classifyFormSchema>>;
