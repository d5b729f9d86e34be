/**
 * Makes an API key: `nx run api:key -- --name NAME --scope read|write|admin`.
 * Prints the key, which is shown only now, and the entry for the file that API_KEYS_FILE names.
 */
import { parseArgs } from 'node:util';
import { createKey } from './api-keys.js';
import { SCOPES } from './scope.js';
import type { Scope } from './scope.js';

const USAGE = 'Usage: nx run api:key -- --name NAME --scope read|write|admin';

function main(): void {
  const { values } = parseArgs({ options: { name: { type: 'string' }, scope: { type: 'string' } } });
  const { name, scope } = values;
  if (name === undefined || !isScope(scope)) throw new Error(USAGE);
  const { key, entry } = createKey(name, scope);
  process.stdout.write(
    `Key, shown only now:\n  ${key}\nEntry for the list in API_KEYS_FILE:\n  ${JSON.stringify(entry)}\n`,
  );
}

function isScope(text: string | undefined): text is Scope {
  return (SCOPES as readonly (string | undefined)[]).includes(text);
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
}
