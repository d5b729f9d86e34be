/** How a model turns a cosine into a logit, logit_scale · cosine + logit_bias, as far as config.json says it. */
import type { CheckpointConfig } from './checkpoint-config.js';

export interface Scoring {
  /** Factor on the cosine; exp is applied already. */
  logitScale: number;
  /** Only in models trained with the sigmoid loss (SigLIP): scores are then sigmoids, else a softmax over labels. */
  logitBias?: number;
  /** Where the values come from; `published` when the folder has none: those of the published models are assumed. */
  source: 'weights' | 'config' | 'published';
}

/**
 * exp(logit_scale) of every CLIP model that OpenAI published (training clips it there), and the values of
 * google/siglip-base-patch16-224. A wrong scale leaves every ranking as it is; it makes softmax scores
 * sharper or flatter, and shifts sigmoid scores.
 */
const PUBLISHED = {
  clip: { logitScale: 100 },
  siglip: { logitScale: 117.33, logitBias: -12.93 },
} as const;

/** Of config.json, else published values; undefined for a dual encoder of our own whose config.json does not say. */
export function configScoring(config: CheckpointConfig): Scoring | undefined {
  if (config.logit_scale !== undefined)
    return { logitScale: Math.exp(config.logit_scale), logitBias: config.logit_bias, source: 'config' };
  if (config.model_type === 'vision-text-dual-encoder') return undefined;
  return { ...PUBLISHED[config.model_type], source: 'published' };
}
