/**
 * Reads a JSON configuration file against a strict schema. Every error names the file, the key, what was expected
 * and what was found; an unknown key lists the known ones.
 */
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { InputError } from '../errors.js';

/** The file's content. @throws InputError when it cannot be read or is not JSON */
async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : String(error);
    throw new InputError(`cannot read ${file}: ${reason}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file} is not JSON: ${(error as Error).message}`);
  }
}

function valueAt(root: unknown, keys: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of keys) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return value;
}

function describeIssue(issue: z.core.$ZodIssue, content: unknown, known: readonly string[]): string {
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => `"${key}"`).join(', ');
    return `unknown key ${keys}; known keys: ${known.join(', ')}`;
  }
  const key = issue.path.join('.') || 'the file';
  const found = valueAt(content, issue.path);
  if (found === undefined) return `"${key}" is missing`;
  return `"${key}": ${issue.message}, found ${JSON.stringify(found)}`;
}

/** Validates already parsed content; `file` is named in the errors. */
export function parseConfig<T extends z.ZodObject>(schema: T, content: unknown, file: string): z.infer<T> {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const known = Object.keys(schema.shape);
  throw new InputError(
    `${file}: ${result.error.issues.map((issue) => describeIssue(issue, content, known)).join('; ')}`,
  );
}

export async function readConfig<T extends z.ZodObject>(schema: T, file: string): Promise<z.infer<T>> {
  return parseConfig(schema, await readJson(file), file);
}
