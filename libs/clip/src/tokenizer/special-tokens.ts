/**
 * The tokens that do not come from the subword model: those that a post-processor puts before
 * and after a text (`<s> … </s>`), and added tokens spelled in the text itself.
 *
 * Follows the semantics of the reference library `tokenizers`: leftmost-longest match; `single_word` needs a
 * word boundary on both sides; `lstrip` and `rstrip` take the white space beside the token as well.
 */
import { ClipError } from '../errors.js';
import type { AddedToken, Step } from './files.js';

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

/** Text, or the id of an added token that stood there. */
type Piece = string | { id: number };

/** Splits a text at the added tokens that it spells. */
export type AddedTokenSplitter = (text: string) => Piece[];

/** Builds a splitter for a set of tokens, each matched as `spell` writes it (e.g. normalised). */
export function addedTokenSplitter(
  tokens: readonly AddedToken[],
  spell: (content: string) => string = (content) => content,
): AddedTokenSplitter {
  const bySpelling = new Map(tokens.map((token) => [spell(token.content), token]));
  bySpelling.delete('');
  if (bySpelling.size === 0) return (text) => (text === '' ? [] : [text]);
  const spellings = [...bySpelling.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(spellings.map(escapeRegExp).join('|'), 'gu');
  return (text) => splitAddedTokens(text, pattern, bySpelling);
}

function splitAddedTokens(
  text: string,
  pattern: RegExp,
  bySpelling: ReadonlyMap<string, AddedToken>,
): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(pattern)) {
    const token = bySpelling.get(match[0])!;
    let start = match.index;
    let end = start + match[0].length;
    if (start < done) continue; // inside the white space that the previous token took
    if (
      token.single_word &&
      // One character, which is one or two units: a search of all that comes before would be quadratic.
      (/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(text.slice(Math.max(0, start - 2), start)) ||
        /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u.test(text.slice(end)))
    )
      continue;
    if (token.lstrip) start = done + text.slice(done, start).trimEnd().length;
    if (token.rstrip) end = text.length - text.slice(end).trimStart().length;
    if (start > done) pieces.push(text.slice(done, start));
    pieces.push({ id: token.id });
    done = end;
  }
  if (done < text.length) pieces.push(text.slice(done));
  return pieces;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
