/**
 * Added tokens that are spelled in a text, which do not come from the subword model.
 *
 * Follows the semantics of the reference library `tokenizers`: leftmost-longest match; `single_word` needs a
 * word boundary on both sides; `lstrip` and `rstrip` take the white space beside the token as well.
 */
import type { AddedToken } from './files.js';

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
