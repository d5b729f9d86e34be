/**
 * Queries of addresses: a flat list of names and texts. A name builds no structure; `tag[]`, which some clients
 * write for a repeated parameter, stands for `tag`.
 */
import { parse } from 'node:querystring';
import { Problem } from '../problems/problem.js';

/** Most parameters of one query. */
const MAX_PARAMETERS = 100;

/** Parameters by name, an array where one came several times; without a prototype. */
export function parseQuery(text: string | null | undefined): Record<string, string | string[]> {
  const given = parse(text ?? '', '&', '=', { maxKeys: MAX_PARAMETERS + 1 });
  const values = Object.create(null) as Record<string, string | string[]>;
  let count = 0;
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const name = key.endsWith('[]') ? key.slice(0, -2) : key;
    const all = [values[name] ?? [], value].flat();
    count += all.length;
    values[name] = all.length === 1 ? all[0]! : all;
  }
  if (count > MAX_PARAMETERS) {
    throw new Problem('invalid_request', `The query has more than ${MAX_PARAMETERS} parameters.`);
  }
  return values;
}
