/** Opens the tokenizer of a checkpoint folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClipError, isSystemError } from '../errors.js';
import { parseTokenizerFiles } from './files.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';

/**
 * Loads the tokenizer of a folder from tokenizer.json, tokenizer_config.json and special_tokens_map.json.
 * @throws ClipError TOKENIZER_INVALID
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const [tokenizer, tokenizerConfig, specialTokensMap] = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'].map((name) =>
      readJson(join(folder, name)),
    ),
  );
  const files = parseTokenizerFiles({ tokenizer, tokenizerConfig, specialTokensMap }, folder);
  return createTokenizer(files, folder);
}

async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return undefined;
    throw new ClipError('TOKENIZER_INVALID', `${path} cannot be read`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ClipError('TOKENIZER_INVALID', `${path} is not valid JSON`, { cause });
  }
}
