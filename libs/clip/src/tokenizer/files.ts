/**
 * The files of a tokenizer, as Hugging Face writes them: tokenizer.json (the pipeline), and tokenizer_config.json
 * and special_tokens_map.json (padding, limits). Only the fields used here are described; the rest passes through.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ClipError, isSystemError } from '../errors.js';

const addedToken = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string(),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
  special: z.boolean().default(false),
});
export type AddedToken = z.infer<typeof addedToken>;

/** A step of the pipeline (normalizer, pre-tokenizer, post-processor): `type` and what that type needs. */
const step = z.looseObject({ type: z.string() });
export type Step = z.infer<typeof step>;

const vocabulary = z.union([
  z.record(z.string(), z.int().nonnegative()),
  z.array(z.tuple([z.string(), z.number()])),
]);

const tokenizerJson = z.looseObject({
  added_tokens: z.array(addedToken).default([]),
  normalizer: step.nullish().transform((value) => value ?? null),
  pre_tokenizer: step.nullish().transform((value) => value ?? null),
  post_processor: step.nullish().transform((value) => value ?? null),
  decoder: step.nullish().transform((value) => value ?? null),
  model: z.looseObject({
    type: z.string().optional(),
    vocab: vocabulary,
    unk_token: z.string().nullish(),
    unk_id: z.int().nullish(),
  }),
});
export type TokenizerJson = z.infer<typeof tokenizerJson>;

const tokenName = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform(({ content }) => content),
]);

const tokenizerConfig = z.looseObject({
  model_max_length: z.number().positive().nullish(),
  pad_token: tokenName.nullish(),
  padding_side: z.enum(['left', 'right']).nullish(),
  truncation_side: z.enum(['left', 'right']).nullish(),
  tokenizer_class: z.string().nullish(),
  do_lower_case: z.boolean().nullish(),
});
type TokenizerConfig = z.infer<typeof tokenizerConfig>;

const specialTokensMap = z.looseObject({ pad_token: tokenName.nullish() });

export interface TokenizerFiles {
  json: TokenizerJson;
  config: TokenizerConfig;
}

/**
 * Reads the tokenizer files of a folder.
 * @throws ClipError TOKENIZER_INVALID when tokenizer.json is missing or any file is malformed
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const json = await readJson(join(folder, 'tokenizer.json'), tokenizerJson);
  if (json === undefined) {
    throw new ClipError('TOKENIZER_INVALID', `no tokenizer.json in ${folder}`, {
      hint: 'A tokenizer that has only vocab.txt, vocab.json or a sentencepiece model is converted in Python by AutoTokenizer.from_pretrained(folder).save_pretrained(folder)',
    });
  }
  const config = (await readJson(join(folder, 'tokenizer_config.json'), tokenizerConfig)) ?? {};
  if (config.pad_token == null) {
    const map = await readJson(join(folder, 'special_tokens_map.json'), specialTokensMap);
    config.pad_token = map?.pad_token;
  }
  return { json: lowerCased(json, config), config };
}

/**
 * SigLIP 2 was trained on lower-cased text, which its tokenizer.json, that of Gemma, does not say: its
 * tokenizer_config.json does, and its `Siglip2Tokenizer` lower-cases. Other classes have it in tokenizer.json.
 */
function lowerCased(json: TokenizerJson, config: TokenizerConfig): TokenizerJson {
  const isGemmas = /^(Gemma|Siglip2)Tokenizer(Fast)?$/.test(config.tokenizer_class ?? '');
  if (!isGemmas || config.do_lower_case !== true) return json;
  const lower = { type: 'Lowercase' };
  const { normalizer } = json;
  return {
    ...json,
    normalizer: normalizer === null ? lower : { type: 'Sequence', normalizers: [lower, normalizer] },
  };
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return undefined;
    throw new ClipError('TOKENIZER_INVALID', `${path} cannot be read`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ClipError('TOKENIZER_INVALID', `${path} is not valid JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path: field, message } = result.error.issues[0]!;
  throw new ClipError('TOKENIZER_INVALID', `${path}: ${field.join('.') || 'the file'}: ${message}`);
}
