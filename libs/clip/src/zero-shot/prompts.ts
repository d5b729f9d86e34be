/** Candidate labels → the texts that stand for them (Radford et al. 2021, arXiv:2103.00020, section 3.1.4). */
import { ClipError } from '../errors.js';

/** The default of OpenAI's CLIP and of transformers. */
const DEFAULT_HYPOTHESIS_TEMPLATE = 'This is a photo of {}.';

/**
 * Puts each label where the template has `{}`.
 * @throws ClipError LABELS_INVALID for a template without `{}`, no labels, an empty label, or one given twice
 */
export function labelPrompts(
  labels: readonly string[],
  template: string = DEFAULT_HYPOTHESIS_TEMPLATE,
): string[] {
  if (!template.includes('{}')) {
    throw new ClipError('LABELS_INVALID', 'the hypothesis template has no place for the label', {
      expected: 'a text with {} in it, such as "a photo of a {}"',
      found: JSON.stringify(template),
    });
  }
  requireLabels(labels);
  return labels.map((label) => template.replaceAll('{}', () => label));
}

/** @throws ClipError LABELS_INVALID */
export function requireLabels(labels: readonly string[]): void {
  if (labels.length === 0)
    throw new ClipError('LABELS_INVALID', 'there are no candidate labels', { expected: 'one or more' });
  const seen = new Set<string>();
  for (const label of labels) {
    if (typeof label !== 'string' || label.trim() === '') {
      throw new ClipError('LABELS_INVALID', 'a candidate label is empty or not a string', {
        found: JSON.stringify(label),
      });
    }
    if (seen.has(label))
      throw new ClipError('LABELS_INVALID', `the candidate label ${JSON.stringify(label)} is given twice`);
    seen.add(label);
  }
}
