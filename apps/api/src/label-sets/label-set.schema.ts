/** What the routes of label sets take and answer. */
import { z } from 'zod';
import { pageOf, pageQuery, storableText } from '../http/fields.js';
import { expandTemplates, immodest, labelListSchema, templateListSchema } from './prompts.js';
import type { TextLimits } from './prompts.js';

const LONGEST_NAME = 200;

/** A name, as one puts it into a request to classify. */
export const labelSetNameSchema = storableText.trim().min(1).max(LONGEST_NAME);

const summary = {
  id: z.string(),
  name: z.string(),
  size: z.int().describe('How many labels it has'),
  templates: z.array(z.string()).describe('As they were given: texts, or names of sets of templates'),
  revision: z.int().describe('Grows with each change'),
  createdAt: z.iso.datetime(),
};

/** A set in a list of them, without its labels. */
const labelSetSummarySchema = z.object(summary).meta({ id: 'LabelSetSummary' });
export type LabelSetSummary = z.infer<typeof labelSetSummarySchema>;

export const labelSetSchema = z.object({ ...summary, labels: z.array(z.string()) }).meta({ id: 'LabelSet' });
export type LabelSetView = z.infer<typeof labelSetSchema>;

const fields = (limits: TextLimits) => ({
  name: labelSetNameSchema.describe('No other set has it'),
  labels: labelListSchema(limits).describe('The labels; one that comes twice counts once'),
  templates: templateListSchema(limits).describe(
    'Templates around each label, or names of sets (clip-7, clip-80); a label is the mean over them',
  ),
});

/** What is wrong with the texts of a whole set; nothing for a part of one. */
export function setProblem(
  { labels, templates }: { labels: readonly string[]; templates: readonly string[] },
  limits: TextLimits,
): string | undefined {
  return immodest({ labels, templates: expandTemplates(templates), overBackground: false }, limits);
}

export const newLabelSetSchema = (limits: TextLimits) => {
  const { name, labels, templates } = fields(limits);
  return z
    .strictObject({ name, labels, templates: templates.default(['{}']) })
    .superRefine((set, context) => {
      const message = setProblem(set, limits);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['templates'], message });
    });
};
export type NewLabelSet = z.infer<ReturnType<typeof newLabelSetSchema>>;

export const labelSetChangeSchema = (limits: TextLimits) =>
  z
    .strictObject(fields(limits))
    .partial()
    .refine((change) => Object.values(change).some((value) => value !== undefined), {
      error: 'expected name, labels or templates',
    });
export type LabelSetChange = z.infer<ReturnType<typeof labelSetChangeSchema>>;

export const labelSetParamsSchema = z.object({ id: z.string().describe('Id of the set') });
export type LabelSetParams = z.infer<typeof labelSetParamsSchema>;

export const labelSetQuerySchema = pageQuery('label sets');
export type LabelSetQuery = z.infer<typeof labelSetQuerySchema>;

export const labelSetListSchema = pageOf(labelSetSummarySchema).meta({ id: 'LabelSetList' });
