/**
 * config.json of a model with an image and a text tower: the fields that using its ONNX models takes. The architecture
 * of the towers is left to `@clip-ts/clip/model`.
 */
import { z } from 'zod';
import { ClipError } from '../errors.js';

const tower = z.looseObject({
  model_type: z.string().optional(),
  max_position_embeddings: z.int().positive().optional(),
  pad_token_id: z.int().nullish(),
});

const shared = {
  vision_config: tower.default({}),
  text_config: tower.default({}),
  projection_dim: z.int().positive().optional(),
  logit_scale_init_value: z.number().optional(),
  /** The learned values (the scale as its logarithm), for folders whose weights are in ONNX models alone. */
  logit_scale: z.number().optional(),
  logit_bias: z.number().optional(),
  /** Log-odds that a label describes an image: slope · cosine over the background − offset. */
  label_calibration: z.object({ slope: z.number().positive(), offset: z.number() }).optional(),
};

const schema = z.discriminatedUnion('model_type', [
  z.looseObject({
    ...shared,
    model_type: z.literal('vision-text-dual-encoder'),
    projection_dim: z.int().positive(),
    vision_config: tower.required({ model_type: true }),
    text_config: tower.required({ model_type: true }),
    /** This project's residual head instead of transformers' linear one. */
    projection_head: z.enum(['linear', 'residual']).default('linear'),
  }),
  z.looseObject({ ...shared, model_type: z.literal('clip') }),
  z.looseObject({ ...shared, model_type: z.literal('siglip') }),
]);

/** The content of config.json. Fields that are not listed pass through. */
export type CheckpointConfig = z.infer<typeof schema>;

/**
 * Checks the content of config.json.
 * @param path named in errors
 * @throws ClipError CONFIG_INVALID, naming every field that is wrong; MODEL_UNSUPPORTED for another model_type
 */
export function parseCheckpointConfig(json: unknown, path: string): CheckpointConfig {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const { issues } = result.error;
  if (issues.some(({ path: field }) => field.join('.') === 'model_type')) {
    const found =
      typeof json === 'object' && json !== null && 'model_type' in json ? json.model_type : undefined;
    throw new ClipError('MODEL_UNSUPPORTED', `${path} is not of a model with an image and a text tower`, {
      expected: 'model_type vision-text-dual-encoder, clip or siglip',
      found: found === undefined ? 'no model_type' : JSON.stringify(found),
    });
  }
  const fields = issues.map(({ path: field, message }) => `${field.join('.') || 'the file'}: ${message}`);
  throw new ClipError('CONFIG_INVALID', `${path}: ${fields.join('; ')}`);
}

/**
 * The most tokens that the text tower has positions for, or the default of its class where config.json has no value.
 * RoBERTa, XLM-RoBERTa and MPNet count positions from the padding token's id + 1.
 */
export function maxTextTokens({ model_type, text_config }: CheckpointConfig): number {
  const type = text_config.model_type ?? `${model_type}_text_model`;
  const positions =
    text_config.max_position_embeddings ?? { clip_text_model: 77, siglip_text_model: 64 }[type] ?? 512;
  const offset = /roberta|mpnet/.test(type) ? (text_config.pad_token_id ?? 1) + 1 : 0;
  return positions - offset;
}

/** Whether the text tower is SigLIP's, which takes texts padded to the full length, and no mask. */
export const readsPadding = ({ model_type, text_config }: CheckpointConfig): boolean =>
  model_type === 'siglip' || text_config.model_type === 'siglip_text_model';
