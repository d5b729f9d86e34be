/** What POST /classify takes, as JSON in the form of Hugging Face's zero-shot pipelines or as a form, and answers. */
import { NONE_OF_THE_ABOVE } from '@clip-ts/clip';
import { z } from 'zod';
import { flagSchema, numeric, stringListSchema } from '../http/fields.js';
import { labelSetNameSchema } from '../label-sets/label-set.schema.js';
import {
  DEFAULT_TEMPLATE,
  MAX_TEMPLATES,
  expandTemplates,
  immodest,
  labelsSchema,
  templateListSchema,
} from '../label-sets/prompts.js';
import type { Prompts, TextLimits } from '../label-sets/prompts.js';

/** Parameters of a classification. Numbers and flags may be texts, as forms send them. */
function parameterFields(limits: TextLimits) {
  return {
    labels: labelsSchema(limits).optional(),
    label_set: labelSetNameSchema.optional().meta({
      description: 'Name of a saved label set, instead of labels; its templates hold unless others are given',
      // Swagger UI sends it where the field is left alone; without it, the text "string".
      example: '',
    }),
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
      .pipe(templateListSchema(limits))
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
    top_k: numeric(z.int().min(1).optional()).meta({
      description: 'Maximum number of labels to return',
      example: 10,
    }),
    threshold: numeric(z.number().min(0).max(1).optional()).meta({
      description: `Leave out labels with a lower score; when none is left, the answer is "${NONE_OF_THE_ABOVE}"`,
      example: 0,
    }),
  };
}

const RESTS_NAME = `"${NONE_OF_THE_ABOVE}" is the class that background adds; leave it out of the labels`;

/** The labels of a classification, and what they go into. */
export interface LabelsInTemplates {
  labels: readonly string[];
  hypothesis_template: string;
  templates?: readonly string[];
  multi_label: boolean;
  background: boolean;
}

/** What is to be made of the labels of a request. */
export const promptsOf = (request: LabelsInTemplates): Prompts => ({
  labels: request.labels,
  templates:
    request.templates === undefined ? [request.hypothesis_template] : expandTemplates(request.templates),
  overBackground: request.multi_label || request.background,
});

/** What is wrong with the labels of a request, and in which field. */
export function labelProblem(
  request: LabelsInTemplates,
  limits: TextLimits,
): { field: 'labels' | 'templates' | 'hypothesis_template'; detail: string } | undefined {
  if (request.background && request.labels.includes(NONE_OF_THE_ABOVE)) {
    return { field: 'labels', detail: RESTS_NAME };
  }
  const detail = immodest(promptsOf(request), limits);
  if (detail === undefined) return undefined;
  return { field: request.templates === undefined ? 'hypothesis_template' : 'templates', detail };
}

interface GivenParameters extends Omit<LabelsInTemplates, 'labels'> {
  labels?: readonly string[];
  label_set?: string;
}

/** Refuses parameters that contradict each other or ask for too much. @param labels name of their field */
function check(
  request: GivenParameters,
  limits: TextLimits,
  labels: string,
  context: { addIssue: (issue: { code: 'custom'; path: string[]; message: string }) => void },
): void {
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field === 'labels' ? labels : field], message });
  if (request.templates !== undefined && request.hypothesis_template !== DEFAULT_TEMPLATE) {
    refuse('templates', 'expected hypothesis_template or templates, found both');
  }
  if (request.labels !== undefined && request.label_set !== undefined) {
    refuse('label_set', `expected ${labels} or label_set, found both`);
  }
  if (request.labels === undefined) {
    if (request.label_set === undefined) refuse('labels', `expected ${labels}, or label_set, found neither`);
    return;
  }
  const problem = labelProblem({ ...request, labels: request.labels }, limits);
  if (problem !== undefined) refuse(problem.field, problem.detail);
}

/** Fields of a form beside its file `image`. */
export function classifyFormSchema(limits: TextLimits) {
  return z
    .strictObject(parameterFields(limits))
    .superRefine((request, context) => check(request, limits, 'labels', context));
}

/** JSON body. */
export function classifyBodySchema(limits: TextLimits) {
  const { labels, ...rest } = parameterFields(limits);
  return z.strictObject({
    inputs: z
      .preprocess(imageOf, z.string())
      .describe('An image file in base64, alone or in a data: URL; {"image": …} is accepted as well'),
    parameters: z
      .strictObject({ candidate_labels: labels, ...rest })
      .superRefine(({ candidate_labels, ...request }, context) =>
        check({ labels: candidate_labels, ...request }, limits, 'candidate_labels', context),
      ),
    options: z
      .strictObject({ use_cache: flagSchema(true), wait_for_model: flagSchema(false) })
      .optional()
      .describe('Accepted for clients of Hugging Face, and ignored'),
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
