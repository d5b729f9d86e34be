/**
 * Zero-shot classification: scores of candidate labels from the cosines of their embeddings with an image's.
 *
 * - CLIP (Radford et al. 2021, arXiv:2103.00020): softmax over logit_scale · cosine; the scores of all labels sum to 1.
 * - SigLIP (Zhai et al. 2023, arXiv:2303.15343): sigmoid(logit_scale · cosine + logit_bias); each label on its own.
 * - Each label by itself with a model of the softmax kind, and the class "none of the above": by its log-odds over the
 *   background, the curve of `LabelCalibration`. The rest class has log-odds 0 in the softmax; where labels are judged one by
 *   one it is the probability that none of them holds.
 *
 * Shape letters: L labels, E embedding.
 */
import { ClipError } from '../errors.js';
import { cosineOverBackground } from './background.js';
import { usualCalibration, type LabelCalibration } from './calibration.js';
import { requireLabels } from './prompts.js';

/** The label of the rest class, and of the one result when no label reaches the threshold. */
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
  /** [E] of `textCenter`: needed for `multiLabel` and `rest` with a model of the softmax kind. */
  center?: Float32Array;
  /** Of the checkpoint, if it has one. Default: `usualCalibration` of its logit_scale. */
  calibration?: LabelCalibration;
  /** Add the class {@link NONE_OF_THE_ABOVE}, with the best similarity of the labels. */
  rest?: boolean;
  /** Return this many of the best. Default: all. */
  topK?: number;
  /**
   * Return labels with at least this score, 0 … 1. When there is none, the result is the one label
   * {@link NONE_OF_THE_ABOVE}, with the best similarity and, where there is no `rest`, 1 − the best score.
   */
  threshold?: number;
}

/**
 * Ranks labels for an image.
 * @param imageEmbed [E], a unit vector
 * @param labelEmbeds L unit vectors [E]
 * @returns labels by descending score; equal ones in the order given
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
  if (options.rest && labels.includes(NONE_OF_THE_ABOVE)) {
    throw new ClipError('LABELS_INVALID', `a label has the name of the rest class, "${NONE_OF_THE_ABOVE}"`);
  }
  if (labelEmbeds.length !== labels.length) {
    throw new ClipError('LABELS_INVALID', 'labels and their embeddings differ in number', {
      expected: `${labels.length} embeddings`,
      found: `${labelEmbeds.length}`,
    });
  }
  const similarities = labelEmbeds.map((embed) => cosine(imageEmbed, embed));
  const logits = labelLogits(similarities, imageEmbed, labelEmbeds, options);
  const { scores, rest } = scoresOf(logits, options);
  const ranked = labels
    .map((label, i) => ({ label, score: scores[i]!, similarity: similarities[i]!, logit: logits[i]! }))
    .sort((a, b) => b.logit - a.logit) // every score grows with the logit, but may saturate
    .map(({ label, score, similarity }) => ({ label, score, similarity }));
  const similarity = largestOf(similarities);
  const none = { label: NONE_OF_THE_ABOVE, score: rest ?? 1 - ranked[0]!.score, similarity };
  if (rest !== undefined) {
    const place = ranked.findIndex(({ score }) => score < rest);
    ranked.splice(place === -1 ? ranked.length : place, 0, none);
  }
  const { threshold, topK } = options;
  const passing = threshold === undefined ? ranked : ranked.filter(({ score }) => score >= threshold);
  return passing.length === 0 ? [none] : passing.slice(0, topK);
}

/** Whether labels are scored against each other, by a softmax. */
const againstEachOther = ({ logitBias, multiLabel = false }: RankLabelsOptions) =>
  logitBias === undefined && !multiLabel;

/** L logits: over the background where a score is to stand by itself, else logit_scale · cosine. */
function labelLogits(
  similarities: readonly number[],
  imageEmbed: Float32Array,
  labelEmbeds: readonly Float32Array[],
  options: RankLabelsOptions,
): number[] {
  const { logitScale, logitBias, center, rest = false } = options;
  if (logitBias !== undefined) return similarities.map((value) => logitScale * value + logitBias);
  if (againstEachOther(options) && !rest) return similarities.map((value) => logitScale * value);
  if (center === undefined) {
    throw new ClipError('LABELS_INVALID', 'scores over the background need its center', {
      expected: 'the center of textCenter',
      hint: 'Encode REFERENCE_LABELS in the template of the labels',
    });
  }
  const { slope, offset } = options.calibration ?? usualCalibration(logitScale);
  return labelEmbeds.map((embed) => slope * cosineOverBackground(imageEmbed, embed, center) - offset);
}

/** Scores of the L labels, and of the rest class where it is asked for. */
function scoresOf(
  logits: readonly number[],
  options: RankLabelsOptions,
): { scores: number[]; rest?: number } {
  if (againstEachOther(options)) {
    if (!options.rest) return { scores: softmax(logits) };
    const scores = softmax([...logits, 0]);
    return { rest: scores.pop()!, scores };
  }
  const scores = logits.map(sigmoid);
  if (!options.rest) return { scores };
  return { scores, rest: scores.reduce((product, score) => product * (1 - score), 1) };
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
      expected: 'an integer of at least 1',
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
  const largest = largestOf(logits);
  const exponentials = logits.map((logit) => Math.exp(logit - largest));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

/** The largest of any number of values; `Math.max` takes a limited number of arguments. */
function largestOf(values: readonly number[]): number {
  return values.reduce((largest, value) => Math.max(largest, value), -Infinity);
}
