/**
 * Contrastive losses over a batch of N image-text pairs; embeddings are L2-normalised rows.
 */
import * as tf from '@tensorflow/tfjs-core';

export interface ContrastiveLoss {
  /** Scalar, nats; ln N at chance. */
  readonly loss: tf.Scalar;
  /** [N texts, N images] */
  readonly logits_per_text: tf.Tensor2D;
}

/**
 * Symmetric cross-entropy over exp(logit_scale) · cosine (CLIP, Radford et al. 2021).
 * @param image_embeds [N, E]
 * @param text_embeds [N, E], row i belongs to image i
 * @param logit_scale scalar, the logarithm of the inverse temperature; absent: no temperature
 */
export function contrastiveLoss(
  image_embeds: tf.Tensor,
  text_embeds: tf.Tensor,
  logit_scale?: tf.Tensor,
): ContrastiveLoss {
  const cosines = tf.matMul(text_embeds, image_embeds, false, true);
  const matched = tf.sum(tf.mul(text_embeds, image_embeds), -1); // [N] cosine of each pair
  const scale = logit_scale === undefined ? undefined : tf.exp(tf.reshape(logit_scale, []));
  const logits = scale === undefined ? cosines : tf.mul(cosines, scale);
  const diagonal = scale === undefined ? matched : tf.mul(matched, scale);
  const normalisers = tf.add(tf.logSumExp(logits, 0), tf.logSumExp(logits, 1)); // [N]
  const loss = tf.mean(tf.sub(tf.mul(normalisers, 0.5), diagonal));
  return { loss: loss as tf.Scalar, logits_per_text: logits as tf.Tensor2D };
}
