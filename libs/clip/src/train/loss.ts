/**
 * Contrastive losses over a batch of N image-text pairs; embeddings are L2-normalised rows.
 */
import * as tf from '@tensorflow/tfjs-core';
import { LOGIT_BIAS, LOGIT_SCALE } from './program-state.js';

export interface ContrastiveLoss {
  /** Scalar, nats. */
  readonly loss: tf.Scalar;
  /** [N texts, N images] */
  readonly logits_per_text: tf.Tensor2D;
}

/** Which loss, and what it smooths. */
export type LossOptions =
  /** Symmetric cross-entropy (CLIP). `labelSmoothing` in [0, 1): the share of a target that is spread over all N. */
  | { readonly kind: 'softmax'; readonly labelSmoothing?: number }
  /** Each of the N² pairs judged by itself (SigLIP). */
  | { readonly kind: 'sigmoid' };

export type LossKind = LossOptions['kind'];

/**
 * Symmetric cross-entropy over exp(logit_scale) · cosine (CLIP, Radford et al. 2021), with targets smoothed as PyTorch's
 * `cross_entropy(label_smoothing)` does.
 * @param image_embeds [N, E]
 * @param text_embeds [N, E], row i belongs to image i
 * @param logit_scale scalar, the logarithm of the inverse temperature; absent: no temperature
 * @param labelSmoothing in [0, 1)
 */
export function contrastiveLoss(
  image_embeds: tf.Tensor,
  text_embeds: tf.Tensor,
  logit_scale?: tf.Tensor,
  labelSmoothing = 0,
): ContrastiveLoss {
  const cosines = tf.matMul(text_embeds, image_embeds, false, true);
  const matched = tf.sum(tf.mul(text_embeds, image_embeds), -1); // [N] cosine of each pair
  const scale = logit_scale === undefined ? undefined : tf.exp(tf.reshape(logit_scale, []));
  const logits = scale === undefined ? cosines : tf.mul(cosines, scale);
  const diagonal = scale === undefined ? matched : tf.mul(matched, scale);
  const normalisers = tf.mul(tf.add(tf.logSumExp(logits, 0), tf.logSumExp(logits, 1)), 0.5); // [N]
  const target =
    labelSmoothing === 0
      ? diagonal
      : tf.add(tf.mul(diagonal, 1 - labelSmoothing), tf.mul(tf.mean(logits), labelSmoothing));
  const loss = tf.mean(tf.sub(normalisers, target));
  return { loss: loss as tf.Scalar, logits_per_text: logits as tf.Tensor2D };
}

/**
 * Sigmoid loss (SigLIP, Zhai et al. 2023): with l = exp(logit_scale) · cosine + logit_bias, the sum over all pairs of
 * −log σ(l) where they belong together and −log σ(−l) where not, divided by N.
 * @param image_embeds [N, E]
 * @param text_embeds [N, E], row i belongs to image i
 * @param logit_scale one number, the logarithm of the factor
 * @param logit_bias one number
 */
export function sigmoidLoss(
  image_embeds: tf.Tensor,
  text_embeds: tf.Tensor,
  logit_scale: tf.Tensor,
  logit_bias: tf.Tensor,
): ContrastiveLoss {
  const N = text_embeds.shape[0];
  const cosines = tf.matMul(text_embeds, image_embeds, false, true);
  const scaled = tf.mul(cosines, tf.exp(tf.reshape(logit_scale, [])));
  const logits = tf.add(scaled, tf.reshape(logit_bias, [])); // [N, N]
  // −1 on the diagonal, 1 elsewhere: −log σ(z · l) = softplus(−z · l)
  const against = tf.sub(1, tf.mul(tf.oneHot(tf.range(0, N, 1, 'int32'), N, 1, 0, 'float32'), 2));
  const loss = tf.div(tf.sum(tf.softplus(tf.mul(logits, against))), N);
  return { loss: loss as tf.Scalar, logits_per_text: logits as tf.Tensor2D };
}

/**
 * The loss of a batch.
 * @param learned logit_scale, and logit_bias for the sigmoid loss
 */
export function lossOf(
  options: LossOptions,
  image_embeds: tf.Tensor,
  text_embeds: tf.Tensor,
  learned: Readonly<tf.NamedTensorMap>,
): tf.Scalar {
  const scale = learned[LOGIT_SCALE];
  return options.kind === 'sigmoid'
    ? sigmoidLoss(image_embeds, text_embeds, scale!, learned[LOGIT_BIAS]!).loss
    : contrastiveLoss(image_embeds, text_embeds, scale, options.labelSmoothing).loss;
}

/**
 * The loss of guessing which of N images and texts belong together: ln N, and for the sigmoid loss
 * what the same probability 1/N for every pair costs.
 */
export const chanceLoss = (kind: LossKind, N: number): number =>
  kind === 'softmax' || N === 1 ? Math.log(N) : Math.log(N) + (N - 1) * Math.log(N / (N - 1));
