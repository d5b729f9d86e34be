/**
 * Zero-shot classification: scores of candidate labels from the cosines of their embeddings with an image's.
 *
 * - CLIP (Radford et al. 2021, arXiv:2103.00020): softmax over logit_scale · cosine; the scores of all labels sum to 1.
 * - SigLIP (Zhai et al. 2023, arXiv:2303.15343): sigmoid(logit_scale · cosine + logit_bias); each label on its own.
 * - Several labels at once with a model of the softmax kind: such a model knows no absolute scale, only whether one
 *   text fits better than another. A label's score is therefore a softmax of two, the label against a neutral text
 *   (such as "a photo"), or against the mean of all labels when no neutral embedding is given.
 *
 * Shape letters: L labels, E embedding.
 */
import { ClipError } from '../errors.js';
import { requireLabels } from './prompts.js';

/** The label of the one result when no label reaches the threshold. */
export const NONE_OF_THE_ABOVE = 'none of the above';

export interface RankedLabel {
  label: string;
  /** 0 … 1 */
  score: number;
  /** Cosine, −1 … 1 */
  similarity: number;
}

export interface RankLabelsOptions {
  /** Factor on the cosine, positive; exp is applied already. */
  logitScale: number;
  /** For models of the sigmoid kind; its presence makes scores sigmoids. */
  logitBias?: number;
  /** Score each label on its own. Models of the sigmoid kind always do. */
  multiLabel?: boolean;
  /** [E] unit vector of a text that fits any image; for `multiLabel` with a model of the softmax kind. */
  neutralEmbed?: Float32Array;
  /** Return the best so many. Default: all. */
  topK?: number;
  /**
   * Return labels with at least this score, 0 … 1. When there is none, the result is the one label
   * {@link NONE_OF_THE_ABOVE}, with 1 − the best score and the best similarity.
   */
  threshold?: number;
}

/**
 * Ranks labels for an image.
 * @param imageEmbed [E], a unit vector
 * @param labelEmbeds L unit vectors [E]
 * @returns labels by falling score; equal ones in the order given
 * @throws ClipError LABELS_INVALID
 */
export function rankLabels(
  imageEmbed: Float32Array,
  labelEmbeds: readonly Float32Array[],
  labels: readonly string[],
  options: RankLabelsOptions,
): RankedLabel[] {
  requireLabels(labels);
  requireOptions(options);
  if (labelEmbeds.length !== labels.length) {
    throw new ClipError('LABELS_INVALID', 'labels and their embeddings differ in number', {
      expected: `${labels.length} embeddings`,
      found: `${labelEmbeds.length}`,
    });
  }
  const similarities = labelEmbeds.map((embed) => cosine(imageEmbed, embed));
  const scores = labelScores(similarities, imageEmbed, options);
  const ranked = labels
    .map((label, i) => ({ label, score: scores[i]!, similarity: similarities[i]! }))
    .sort((a, b) => b.similarity - a.similarity); // every score grows with the similarity, but may saturate
  const { threshold, topK } = options;
  const best = ranked[0]!;
  const passing = threshold === undefined ? ranked : ranked.filter(({ score }) => score >= threshold);
  if (passing.length === 0)
    return [{ label: NONE_OF_THE_ABOVE, score: 1 - best.score, similarity: best.similarity }];
  return passing.slice(0, topK);
}

/** L scores from L cosines. */
function labelScores(
  similarities: readonly number[],
  imageEmbed: Float32Array,
  options: RankLabelsOptions,
): number[] {
  const { logitScale, logitBias, multiLabel = false, neutralEmbed } = options;
  if (logitBias !== undefined)
    return similarities.map((similarity) => sigmoid(logitScale * similarity + logitBias));
  if (!multiLabel) return softmax(similarities.map((similarity) => logitScale * similarity));
  const neutral = neutralEmbed === undefined ? mean(similarities) : cosine(imageEmbed, neutralEmbed);
  return similarities.map((similarity) => sigmoid(logitScale * (similarity - neutral)));
}

function requireOptions({ logitScale, topK, threshold }: RankLabelsOptions): void {
  if (!(logitScale > 0 && Number.isFinite(logitScale))) {
    throw new ClipError('LABELS_INVALID', 'logitScale is out of range', {
      expected: 'a positive number',
      found: `${logitScale}`,
    });
  }
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1)) {
    throw new ClipError('LABELS_INVALID', 'topK is out of range', {
      expected: 'a whole number from 1 on',
      found: `${topK}`,
    });
  }
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1)) {
    throw new ClipError('LABELS_INVALID', 'threshold is out of range', {
      expected: '0 … 1',
      found: `${threshold}`,
    });
  }
}

/** Dot product of two unit vectors, summed in double precision and kept within −1 … 1. */
function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) {
    throw new ClipError('LABELS_INVALID', 'the embeddings of image and label differ in size', {
      expected: `${a.length}`,
      found: `${b.length}`,
      hint: 'Both must come from the same model',
    });
  }
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return Math.min(1, Math.max(-1, sum));
}

function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - largest));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
