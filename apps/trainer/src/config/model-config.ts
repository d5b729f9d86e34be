/** input/model_config.json: the two towers and the heads on them. */
import { z } from 'zod';

/** A hub id or a local folder (pretrained weights), or an inline transformers config (trained from scratch). */
const backbone = z.union(
  [z.string().min(1), z.looseObject({ model_type: z.string().min(1) })],
  'expected a hub id, a folder, or an object with "model_type"',
);

export const modelConfigSchema = z.strictObject({
  vision_backbone: backbone,
  text_backbone: backbone,
  /** Keys of the backbone's preprocessor_config.json that get another value, for instance size and crop_size. */
  image_processor: z.record(z.string(), z.unknown(), 'expected an object').optional(),
  /** Tokens a caption may have, start and end included; −1 for as many as 99.5 % of the training captions need. */
  max_length_corpus: z
    .int('expected -1 or an integer of at least 3')
    .refine((n) => n === -1 || n >= 3, 'expected -1 or an integer of at least 3'),
  /** Width E of the shared embedding space. */
  dim: z.int('expected an integer').min(1, 'expected at least 1'),
  /** Dropout probability in the heads, in training. */
  dropout: z.number('expected a number').min(0, 'expected 0 ≤ dropout < 1').lt(1, 'expected 0 ≤ dropout < 1'),
  /** 'linear' opens in Python's VisionTextDualEncoderModel; 'residual' is the head of the original script. */
  projection_head: z.enum(['linear', 'residual'], 'expected "linear" or "residual"').default('linear'),
  /** The features of a caption: the text tower's pooler output, its first token, or the mean of its tokens. */
  text_pooling: z.enum(['pooler', 'cls', 'mean'], 'expected "pooler", "cls" or "mean"').default('pooler'),
  /** 'none' is the original script's loss: cosines without a factor; logit_scale stays at 0. */
  temperature: z.enum(['learned', 'none'], 'expected "learned" or "none"').default('learned'),
});

export type ModelConfig = z.infer<typeof modelConfigSchema>;

/**
 * The same file beside "init_from": both towers and the heads come from there, so the keys may be left out, and must not
 * contradict the model.
 */
export const initModelConfigSchema = z.strictObject({
  ...modelConfigSchema.partial().shape,
  max_length_corpus: modelConfigSchema.shape.max_length_corpus.default(-1),
  projection_head: modelConfigSchema.shape.projection_head.removeDefault().optional(),
  text_pooling: modelConfigSchema.shape.text_pooling.removeDefault().optional(),
  temperature: modelConfigSchema.shape.temperature.removeDefault().optional(),
});

export type InitModelConfig = z.infer<typeof initModelConfigSchema>;

/** The model of a run: new, or that of "init_from". */
export type ModelSettings =
  (ModelConfig & { init_from?: undefined }) | (InitModelConfig & { init_from: string });
