/** Labels and the templates around them: how they are written in requests, and how many texts they may make. */
import { REFERENCE_LABELS, TEMPLATE_SETS } from '@clip-ts/clip';
import { z } from 'zod';
import { modelText, stringListSchema } from '../http/fields.js';

export interface TextLimits {
  MAX_LABELS: number;
  MAX_TEXT_LENGTH: number;
  MAX_COMPUTE: number;
}

/** Maximum number of templates of one request: as many as the largest set has, and some more. */
export const MAX_TEMPLATES = 100;

export const DEFAULT_TEMPLATE = '{}';

/** Labels, each a text for the model. */
export const labelListSchema = ({ MAX_LABELS, MAX_TEXT_LENGTH }: TextLimits) =>
  z
    .array(modelText.trim().min(1, 'expected a text').max(MAX_TEXT_LENGTH))
    .min(1, 'expected at least one label')
    .max(MAX_LABELS);

/**
 * Candidate labels: an array, repeated fields, or one text, which is split at its commas as Hugging Face's
 * pipelines do, so that a client which joins its labels never gets the score of one label. A label with a comma
 * comes in an array; in a form, in a JSON array.
 */
export function labelsSchema(limits: TextLimits) {
  const { MAX_LABELS } = limits;
  return z
    .preprocess(
      (value) =>
        typeof value === 'string' && !value.trimStart().startsWith('[')
          ? splitLabels(value, MAX_LABELS)
          : value,
      stringListSchema(MAX_LABELS).pipe(labelListSchema(limits)),
    )
    .describe('Candidate labels; one text is split at its commas');
}

/** The texts between commas. Far more parts than labels are left as they are, and refused for their number. */
function splitLabels(text: string, most: number): string[] {
  const parts = text.split(',', 2 * most + 2);
  if (parts.length > 2 * most + 1) return parts;
  return parts.map((label) => label.trim()).filter((label) => label !== '');
}

/** Templates, or names of sets of them. */
export const templateListSchema = ({ MAX_TEXT_LENGTH }: TextLimits) =>
  z
    .array(
      z
        .string()
        .max(MAX_TEXT_LENGTH)
        .refine(
          (template) => template.includes('{}') || Object.hasOwn(TEMPLATE_SETS, template),
          `expected {} where the label goes, or a set: ${Object.keys(TEMPLATE_SETS).join(', ')}`,
        ),
    )
    .min(1)
    .max(MAX_TEMPLATES);

/** The templates with sets by their members, each once. */
export const expandTemplates = (templates: readonly string[]): string[] => [
  ...new Set(templates.flatMap((template) => TEMPLATE_SETS[template] ?? [template])),
];

/** Texts that are to be made of labels and templates. */
export interface Prompts {
  labels: readonly string[];
  /** Without names of sets. */
  templates: readonly string[];
  /** The labels are measured over the reference labels, which go into the templates too. */
  overBackground: boolean;
}

/**
 * What is wrong with the texts that the templates make of the labels: they must be neither too long nor too many. Judged
 * before any is made: 1,000 labels in a template of 500 places are a thousand times the request.
 */
export function immodest(
  { labels, templates, overBackground }: Prompts,
  { MAX_TEXT_LENGTH, MAX_COMPUTE }: TextLimits,
): string | undefined {
  const longestLabel = labels.reduce((length, label) => Math.max(length, label.length), 0);
  const longest = templates.reduce((length, template) => {
    const places = template.split('{}').length - 1;
    return Math.max(length, template.length + places * (longestLabel - '{}'.length));
  }, 0);
  if (longest > MAX_TEXT_LENGTH) {
    return `with the longest label in it a text of ${longest} characters; at most ${MAX_TEXT_LENGTH} are accepted`;
  }
  const texts = (labels.length + (overBackground ? REFERENCE_LABELS.length : 0)) * templates.length;
  if (templates.length > 1 && texts > MAX_COMPUTE) {
    return `${templates.length} templates make ${texts} texts; at most ${MAX_COMPUTE} are accepted (MAX_COMPUTE)`;
  }
  return undefined;
}
