/**
 * API keys: named, with a scope, known to the service only by their SHA-256.
 *
 * A plain hash is enough because keys are random: `api:key` makes them of 256 bits, and a reader of the hashes would
 * have to try 2^255 of them. It would not be enough for passwords that people choose.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { StartError } from '../start-error.js';
import { SCOPES } from './scope.js';
import type { Scope } from './scope.js';

/** A key as the service stores it. */
export interface ApiKey {
  name: string;
  scope: Scope;
  /** SHA-256 of the key, 32 bytes. */
  hash: Buffer;
}

/** Longest key that is looked at, in bytes; a longer one is unknown without being hashed. */
export const MAX_KEY_LENGTH = 256;

const nameSchema = z.string().regex(/^[\w.@-]{1,64}$/, 'expected 1 to 64 letters, digits or . _ @ -');

const keyFileSchema = z.array(
  z.strictObject({
    name: nameSchema,
    scope: z.enum(SCOPES),
    sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, 'expected 64 hexadecimal digits'),
  }),
);

/** One line of the key file. */
type KeyEntry = z.infer<typeof keyFileSchema>[number];

/** The key file cannot be used; the message names the file, the entry and what to do. */
class KeyFileError extends StartError {
  override readonly name = 'KeyFileError';

  constructor(path: string, problem: string) {
    super(
      `The key file ${path} (API_KEYS_FILE) cannot be used: ${problem}. ` +
        'Expected [{"name": …, "scope": "read", "write" or "admin", "sha256": …}]; `nx run api:key` prints such entries.',
    );
  }
}

/** Reads a key file. Throws a StartError that says what is wrong with it. */
function readKeyFile(path: string): ApiKey[] {
  const entries = parseKeyFile(path);
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw new KeyFileError(path, `the name ${name} is there twice`);
    names.add(name);
  }
  return entries.map(({ name, scope, sha256 }) => ({ name, scope, hash: Buffer.from(sha256, 'hex') }));
}

function parseKeyFile(path: string): KeyEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new KeyFileError(path, error instanceof Error ? error.message : String(error));
  }
  const parsed = keyFileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new KeyFileError(path, `${issue?.path.join('.')}: ${issue?.message}`);
}

/** A new key and the entry for the key file. The key itself is nowhere else: it must be noted now. */
export function createKey(name: string, scope: Scope): { key: string; entry: KeyEntry } {
  const key = `clip_${randomBytes(32).toString('base64url')}`;
  return { key, entry: { name: nameSchema.parse(name), scope, sha256: sha256(key).toString('hex') } };
}

function sha256(text: string): Buffer {
  // Header values are bytes read as Latin-1, so this is the hash of the bytes that were sent.
  return createHash('sha256').update(text, 'latin1').digest();
}

/** The keys that the service accepts: API_KEY, which may do everything, and those of API_KEYS_FILE. */
export class KeyRing {
  private keys: readonly ApiKey[];

  constructor(private readonly settings: { API_KEY?: string; API_KEYS_FILE?: string }) {
    this.keys = this.read();
  }

  /** True when there is no key, so that none can be required. */
  get isEmpty(): boolean {
    return this.keys.length === 0;
  }

  get names(): string[] {
    return this.keys.map(({ name }) => name);
  }

  /** Reads the key file again. When it cannot be used, the keys stay as they are and the error is thrown. */
  reload(): void {
    this.keys = this.read();
  }

  /**
   * The key with this text, or undefined. Every key is compared, each in constant time: neither the place of a
   * key in the file nor how much of it is right shows in the time that this takes.
   */
  find(text: string): ApiKey | undefined {
    if (text === '' || text.length > MAX_KEY_LENGTH) return undefined;
    const hash = sha256(text);
    let found: ApiKey | undefined;
    for (const key of this.keys) {
      if (timingSafeEqual(key.hash, hash)) found = key;
    }
    return found;
  }

  private read(): ApiKey[] {
    const { API_KEY: key, API_KEYS_FILE: path } = this.settings;
    const single: ApiKey[] =
      key === undefined ? [] : [{ name: 'API_KEY', scope: 'admin', hash: sha256(key) }];
    return path === undefined ? single : [...single, ...readKeyFile(path)];
  }
}
