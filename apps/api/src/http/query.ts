/**
 * Queries of addresses: a flat list of names and texts. A name builds no structure; `tag[]`, which some clients
 * write for a repeated parameter, stands for `tag`, and `-tag`, as people write who leave something out, for `notTag`,
 * a name that code generators can use. An empty text counts as absent, as in forms: `?tag=&limit=` is what
 * a search page sends whose fields were left empty.
 */
import { parse } from 'node:querystring';
import { Problem } from '../problems/problem.js';

const nameOf = (key: string): string =>
  key.replace(/\[\]$/, '').replace(/^-([a-z])/, (_, letter: string) => `not${letter.toUpperCase()}`);

/** Maximum number of parameters of one query. */
const MAX_PARAMETERS = 100;

/**
 * Parameters by name, an array where one came several times, undefined where it came without a text; without a
 * prototype.
 */
export function parseQuery(text: string | null | undefined): Record<string, string | string[] | undefined> {
  const given = parse(text ?? '', '&', '=', { maxKeys: MAX_PARAMETERS + 1 });
  const values = Object.create(null) as Record<string, string | string[] | undefined>;
  let count = 0;
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const name = nameOf(key);
    const own = [value].flat();
    count += own.length;
    const all = [values[name] ?? [], own.filter((text) => text !== '')].flat();
    values[name] = all.length <= 1 ? all[0] : all;
  }
  if (count > MAX_PARAMETERS) {
    throw new Problem('invalid_request', `The query has more than ${MAX_PARAMETERS} parameters.`);
  }
  return values;
}
