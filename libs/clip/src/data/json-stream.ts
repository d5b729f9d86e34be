/**
 * The elements of arrays in a JSON file, one after the other, whatever the size of the file: JSON.parse needs all of
 * it in one string, which ends at 512 MB. Integers beyond 2^53 stay exact, as strings.
 */
import { createReadStream } from 'node:fs';
import { Tokenizer, TokenParser } from '@streamparser/json';
import { ClipError } from '../errors.js';

class ExactTokenizer extends Tokenizer {
  protected override parseNumber(text: string): number {
    const value = Number(text);
    const exact = Number.isSafeInteger(value) || !/^-?\d+$/.test(text);
    return exact ? value : (text as unknown as number);
  }
}

/**
 * Calls `take` with each element of the top-level arrays called `keys`, in the order of the file.
 * @returns the keys whose arrays were there
 * @throws ClipError DATASET_INVALID when the file is not JSON, or not an object at its top
 */
export async function readElements(
  path: string,
  keys: readonly string[],
  take: (key: string, element: unknown) => void,
): Promise<Set<string>> {
  const seen = new Set<string>();
  const tokenizer = new ExactTokenizer();
  const parser = new TokenParser({
    paths: keys.flatMap((key) => [`$.${key}`, `$.${key}.*`]),
    keepStack: false,
  });
  let problem: Error | undefined;
  tokenizer.onToken = (token) => {
    parser.write(token);
  };
  parser.onValue = ({ value, key, stack }) => {
    if (stack.length === 1) {
      if (!Array.isArray(value)) throw invalid(path, `"${key}" is not an array`);
      seen.add(String(key));
    } else take(String(stack[1]!.key), value);
  };
  const stop = (error: Error) => {
    problem ??= error;
  };
  tokenizer.onError = stop;
  parser.onError = stop;
  for await (const chunk of createReadStream(path)) {
    try {
      tokenizer.write(chunk as Buffer);
    } catch (error) {
      stop(error as Error);
    }
    if (problem !== undefined) break;
  }
  if (problem === undefined && !parser.isEnded) problem = new Error('the file ends in the middle of a value');
  if (problem instanceof ClipError) throw problem;
  if (problem !== undefined) throw invalid(path, `it is not JSON (${problem.message})`, problem);
  return seen;
}

function invalid(path: string, found: string, cause?: unknown): ClipError {
  return new ClipError('DATASET_INVALID', `the annotation file ${path} cannot be read`, { found, cause });
}
