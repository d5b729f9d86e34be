/** The special tokens that a post-processor puts before and after a text (`<s> … </s>`). */
import { ClipError } from '../errors.js';
import type { Step } from './files.js';

/** Ids before and after the content of a single text. */
export interface Template {
  prefix: readonly number[];
  suffix: readonly number[];
}

/**
 * Reads the template for a single text out of a post-processor.
 * @throws ClipError TOKENIZER_INVALID for a type or a form that is not known
 */
export function singleTextTemplate(step: Step | null): Template {
  if (step === null || step.type === 'ByteLevel') return { prefix: [], suffix: [] };
  if (step.type === 'RobertaProcessing' || step.type === 'BertProcessing') {
    const [, cls] = step.cls as [string, number];
    const [, sep] = step.sep as [string, number];
    return { prefix: [cls], suffix: [sep] };
  }
  if (step.type === 'Sequence') {
    const templates = (step.processors as Step[]).map(singleTextTemplate);
    return {
      prefix: templates.flatMap(({ prefix }) => prefix),
      suffix: templates.flatMap(({ suffix }) => suffix),
    };
  }
  if (step.type === 'TemplateProcessing') return parseTemplate(step);
  throw new ClipError('TOKENIZER_INVALID', 'the post-processor of tokenizer.json is not supported', {
    expected: 'TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel or a Sequence of them',
    found: step.type,
  });
}

function parseTemplate(step: Step): Template {
  const pieces = step.single as { SpecialToken?: { id: string }; Sequence?: unknown }[];
  const tokens = step.special_tokens as Record<string, { ids: number[] } | undefined>;
  const before: number[] = [];
  const after: number[] = [];
  let sequences = 0;
  for (const { SpecialToken: special } of pieces) {
    if (special === undefined) sequences++;
    else (sequences > 0 ? after : before).push(...(tokens[special.id]?.ids ?? []));
  }
  if (sequences !== 1) {
    throw new ClipError(
      'TOKENIZER_INVALID',
      'the template for a single text in tokenizer.json does not hold the text once',
    );
  }
  return { prefix: before, suffix: after };
}
