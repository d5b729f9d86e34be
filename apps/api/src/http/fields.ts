/** Fields that several routes share: pages, texts that the database can hold, lists of strings. */
import { z } from 'zod';
import { cleanText } from '../text/clean-text.js';
import { parseBounded } from './body/json-scanner.js';

/** A number, also as the text that forms and queries send. An empty text is absent, not 0. */
export function numeric<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => {
    if (typeof value !== 'string') return value ?? undefined;
    return value.trim() === '' ? undefined : Number(value);
  }, schema);
}

/** `limit` of a paged list. */
export const limitSchema = (fallback: number) => numeric(z.int().min(1).max(100).default(fallback));
/** `offset` of a paged list. */
export const offsetSchema = numeric(z.int().min(0).max(1_000_000_000).default(0));

/** The query of a list that is read page by page. @param noun what it lists, in the plural */
export const pageQuery = (noun: string) =>
  z.strictObject({
    limit: limitSchema(100).describe(`Maximum number of ${noun} to return, 1 to 100`),
    offset: offsetSchema.describe(`Number of ${noun} to skip`),
  });

/** One page of such a list, and how many items there are in all. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), total: z.int(), limit: z.int(), offset: z.int() });

const FLAGS: Partial<Record<string, boolean>> = {
  ...{ true: true, on: true, yes: true, '1': true },
  ...{ false: false, off: false, no: false, '0': false },
};

/** A yes or no, also as the texts and numbers that forms and Python send; an empty text is absent. */
export const flagSchema = (fallback: boolean) =>
  z.preprocess((value) => {
    if (typeof value !== 'string' && typeof value !== 'number') return value ?? undefined;
    const text = String(value).trim().toLowerCase();
    return text === '' ? undefined : (FLAGS[text] ?? value);
  }, z.boolean('expected true or false').default(fallback));

/** A text for the model: what is no text in it becomes U+FFFD. */
export const modelText = z.string().overwrite(cleanText);

/** A text for the database: NUL characters are refused, lone surrogates become U+FFFD. */
export const storableText = z
  .string()
  .regex(/^[^\0]*$/, 'expected a text without NUL characters')
  .overwrite(cleanText);

/** A field with up to `max` texts, which may come once, several times, or as a JSON array in one value. */
export const stringListSchema = (max: number) =>
  z.preprocess(
    (value) => {
      if (typeof value !== 'string') return value;
      if (!value.trimStart().startsWith('[')) return [value];
      try {
        // One more than allowed, so that the message about the number comes from the schema that knows it.
        return parseBounded(value, { maxDepth: 1, maxValues: max + 2 });
      } catch {
        return value;
      }
    },
    z.array(z.string(), `expected up to ${max} texts, or one JSON array of them`),
  );

/**
 * The fields of a form that hold something. HTML forms, Swagger UI and others send an empty text for a field that
 * was left empty, so an empty text counts as absent, also as an element of a list.
 */
export function filledFields(form: unknown): Record<string, unknown> {
  const fields = Object.entries((form ?? {}) as Record<string, unknown>);
  return Object.fromEntries(
    fields
      .map(
        ([name, value]) => [name, Array.isArray(value) ? value.filter((one) => one !== '') : value] as const,
      )
      .filter(([, value]) => value !== '' && !(Array.isArray(value) && value.length === 0)),
  );
}
