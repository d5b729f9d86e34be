/**
 * How a tower reads its config.json: every option that transformers writes is honoured, known to have
 * no effect on the tower's numbers, or refused by name; an unknown key is an error that names it.
 */
import { z } from 'zod';
import { ClipError } from '../../errors.js';
import { ACTIVATION_NAMES } from '../ops/index.js';

const ignored = z.unknown().optional();

/** Keys of every transformers config that do not affect what the tower computes. */
const COMMON_KEYS = {
  // identity and storage
  model_type: ignored,
  architectures: ignored,
  transformers_version: ignored,
  dtype: ignored,
  torch_dtype: ignored,
  _name_or_path: ignored,
  name_or_path: ignored,
  label_calibration: ignored, // how cosines become probabilities, not how they are computed
  _commit_hash: ignored,
  _attn_implementation_autoset: ignored,
  attn_implementation: ignored,
  tokenizer_class: ignored,
  // what a call returns, and execution
  return_dict: ignored,
  output_hidden_states: ignored,
  output_attentions: ignored,
  torchscript: ignored,
  use_bfloat16: ignored,
  use_cache: ignored,
  gradient_checkpointing: ignored,
  chunk_size_feed_forward: ignored,
  tf_legacy_loss: ignored,
  output_past: ignored,
  xla_device: ignored,
  // task heads
  id2label: ignored,
  label2id: ignored,
  num_labels: ignored,
  finetuning_task: ignored,
  problem_type: ignored,
  task_specific_params: ignored,
  tie_word_embeddings: ignored,
  // text generation
  bos_token_id: ignored,
  eos_token_id: ignored,
  pad_token_id: ignored,
  sep_token_id: ignored,
  decoder_start_token_id: ignored,
  forced_bos_token_id: ignored,
  forced_eos_token_id: ignored,
  max_length: ignored,
  min_length: ignored,
  do_sample: ignored,
  early_stopping: ignored,
  num_beams: ignored,
  num_beam_groups: ignored,
  diversity_penalty: ignored,
  temperature: ignored,
  top_k: ignored,
  top_p: ignored,
  typical_p: ignored,
  repetition_penalty: ignored,
  length_penalty: ignored,
  no_repeat_ngram_size: ignored,
  encoder_no_repeat_ngram_size: ignored,
  bad_words_ids: ignored,
  num_return_sequences: ignored,
  output_scores: ignored,
  return_dict_in_generate: ignored,
  remove_invalid_values: ignored,
  exponential_decay_length_penalty: ignored,
  suppress_tokens: ignored,
  begin_suppress_tokens: ignored,
  prefix: ignored,
  // only these values are implemented
  is_decoder: only(false),
  is_encoder_decoder: only(false),
  add_cross_attention: only(false),
  tie_encoder_decoder: only(false),
  cross_attention_hidden_size: only(null),
  pruned_heads: z
    .unknown()
    .optional()
    .refine((value) => value == null || Object.keys(value).length === 0, {
      error: 'pruned attention heads are not implemented',
    }),
};

/** Keys that a vision config carries for `AutoBackbone` or masked image modelling. */
export const BACKBONE_KEYS = {
  out_features: ignored,
  out_indices: ignored,
  stage_names: ignored,
  encoder_stride: ignored,
};

/** A key that has no effect on the tower. */
export function noEffect() {
  return ignored;
}

/** A key of which this value alone is implemented; absent is fine. */
export function only(value: string | number | boolean | null) {
  return z
    .unknown()
    .optional()
    .refine((found) => found === undefined || found === value, {
      error: `only ${JSON.stringify(value)} is implemented`,
    });
}

export const size = () => z.int().min(1);
/** One number or [height, width], read as [height, width]. */
export const sides = (fallback: number) =>
  z
    .union([size(), z.tuple([size(), size()])])
    .prefault(fallback)
    .transform((value): readonly [number, number] => (typeof value === 'number' ? [value, value] : value));
export const rate = () => z.number().min(0).max(0.99);
export const epsilon = () => z.number().positive().max(0.1);
export const tokenId = () => z.int().min(0);
/** `hidden_act` and its relatives. */
export const activationName = () =>
  z.string().refine((name) => ACTIVATION_NAMES.includes(name), {
    error: `the activation function is not one of ${ACTIVATION_NAMES.join(', ')}`,
  });

/** Sizes of a transformer, by default those of BERT-base and ViT-B. */
export const transformerSizes = () => ({
  hidden_size: size().default(768),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
});

/** Keys that BERT, MPNet, ViT and DINOv2 have in common, with their defaults. */
export const transformerKeys = (defaults: { dropout: number; epsilon: number }) => ({
  ...transformerSizes(),
  hidden_act: activationName().default('gelu'),
  hidden_dropout_prob: rate().default(defaults.dropout),
  attention_probs_dropout_prob: rate().default(defaults.dropout),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(defaults.epsilon),
});

/**
 * The schema of a tower's config: `shape`'s keys honoured, the common ones allowed, no others.
 * Its type leaves the common keys out, since no tower reads them.
 */
export function configSchema<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject({ ...COMMON_KEYS, ...shape });
}

/**
 * Parses a config, or says which field is wrong and how.
 * @param name what the config describes, e.g. `vit`
 * @throws ClipError CONFIG_INVALID
 */
export function parseConfigWith<Schema extends z.ZodType>(
  schema: Schema,
  name: string,
  json: unknown,
): z.output<Schema> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join('.') || 'config'}: ${issue.message}`,
  );
  const unknown = result.error.issues.some((issue) => issue.code === 'unrecognized_keys');
  throw new ClipError('CONFIG_INVALID', `The ${name} config cannot be used: ${problems.join('; ')}`, {
    hint: unknown ? 'Take out an unknown key only if it does not change what the model computes' : undefined,
  });
}

/** Fails with CONFIG_INVALID when a rule across fields does not hold. */
export function requireConfig(holds: boolean, name: string, expected: string, found: unknown): void {
  if (holds) return;
  throw new ClipError('CONFIG_INVALID', `The ${name} config cannot be used`, {
    expected,
    found: JSON.stringify(found),
  });
}

/** Fails with CONFIG_INVALID unless the heads of an attention share its width evenly. */
export function requireHeads<Key extends string>(
  name: string,
  config: Readonly<Record<Key, number>>,
  width: Key,
  heads: Key,
): void {
  const found = { [width]: config[width], [heads]: config[heads] };
  requireConfig(config[width] % config[heads] === 0, name, `${width} divisible by ${heads}`, found);
}

/**
 * Parses the config of a transformer, whose hidden_size is divided among num_attention_heads.
 * @throws ClipError CONFIG_INVALID
 */
export function parseTransformerWith<Config extends { hidden_size: number; num_attention_heads: number }>(
  schema: z.ZodType<Config>,
  name: string,
  json: unknown,
): Config {
  const config = parseConfigWith(schema, name, json);
  requireHeads(name, config, 'hidden_size', 'num_attention_heads');
  return config;
}
