/**
 * The files of a tokenizer, as Hugging Face writes them: tokenizer.json (the pipeline), and tokenizer_config.json
 * and special_tokens_map.json (padding, limits). Only the fields used here are described; the rest passes through.
 */
import { z } from 'zod';
import { ClipError } from '../errors.js';

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

const tokenizerSchema = z.looseObject({
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
export type TokenizerJson = z.infer<typeof tokenizerSchema>;

const tokenName = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform(({ content }) => content),
]);

const configSchema = z.looseObject({
  model_max_length: z.number().positive().nullish(),
  pad_token: tokenName.nullish(),
  padding_side: z.enum(['left', 'right']).nullish(),
  truncation_side: z.enum(['left', 'right']).nullish(),
  tokenizer_class: z.string().nullish(),
  do_lower_case: z.boolean().nullish(),
});
type TokenizerConfig = z.infer<typeof configSchema>;

const mapSchema = z.looseObject({ pad_token: tokenName.nullish() });

export interface TokenizerFiles {
  json: TokenizerJson;
  config: TokenizerConfig;
}

/** The contents of the files; undefined where there is no such file. */
export interface TokenizerJsons {
  tokenizer: unknown;
  tokenizerConfig: unknown;
  specialTokensMap: unknown;
}

/**
 * Checks the contents of a tokenizer's files.
 * @param folder named in errors
 * @throws ClipError TOKENIZER_INVALID when there is no tokenizer.json, or any file is malformed
 */
export function parseTokenizerFiles(
  { tokenizer, tokenizerConfig, specialTokensMap }: TokenizerJsons,
  folder: string,
): TokenizerFiles {
  if (tokenizer === undefined) {
    throw new ClipError('TOKENIZER_INVALID', `no tokenizer.json in ${folder}`, {
      hint: 'A tokenizer that has only vocab.txt, vocab.json or a sentencepiece model is converted in Python by AutoTokenizer.from_pretrained(folder).save_pretrained(folder)',
    });
  }
  const json = parse(tokenizer, tokenizerSchema, `${folder}/tokenizer.json`);
  const config = parse(tokenizerConfig ?? {}, configSchema, `${folder}/tokenizer_config.json`);
  if (config.pad_token == null && specialTokensMap !== undefined)
    config.pad_token = parse(specialTokensMap, mapSchema, `${folder}/special_tokens_map.json`).pad_token;
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

function parse<T>(value: unknown, schema: z.ZodType<T>, path: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path: field, message } = result.error.issues[0]!;
  throw new ClipError('TOKENIZER_INVALID', `${path}: ${field.join('.') || 'the file'}: ${message}`);
}
