/**
 * How much better a label's embedding matches an image than any text does: for judging a label by itself, and for "none
 * of these", with models of the softmax kind (CLIP), which learn no absolute scale.
 *
 * The texts of a model lie in a narrow cone apart from its images (Liang et al. 2022, arXiv:2203.02053), so the cosine
 * of a wrong label is far from 0 and differs from model to model. The mean embedding of texts that have nothing to do
 * with the image is that cone's axis: subtracted from a label's embedding, it leaves a vector with a cosine around 0
 * with an image that it does not describe. A logistic curve of that cosine is the label's probability.
 * docs/decisions/030-background-class.md says how the curve was chosen and measures it.
 *
 * Shape letters: E embedding, R reference texts.
 */
import { ClipError } from '../errors.js';

/** Common nouns of many domains, R = 72: in the template of the labels, they are its background. */
export const REFERENCE_LABELS: readonly string[] = [
  ...['person', 'man', 'woman', 'child', 'baby', 'crowd', 'face', 'hand'],
  ...['dog', 'cat', 'horse', 'cow', 'bird', 'fish', 'insect', 'tree', 'flower', 'grass'],
  ...['fruit', 'vegetable', 'meal', 'drink', 'house', 'building', 'room', 'window', 'door'],
  ...['street', 'bridge', 'city', 'beach', 'mountain', 'river', 'lake', 'sea', 'sky', 'cloud', 'snow'],
  ...['forest', 'field', 'night', 'car', 'bus', 'train', 'bicycle', 'boat', 'airplane'],
  ...['chair', 'table', 'bed', 'book', 'clock', 'phone', 'computer', 'screen', 'toy', 'ball', 'bag'],
  ...['shirt', 'hat', 'shoe', 'tool', 'sign', 'word', 'drawing', 'map', 'pattern'],
  ...['line', 'circle', 'square', 'light', 'shadow'],
];

/** The mean [E] of the embeddings of R reference texts. */
export function textCenter(embeds: readonly Float32Array[]): Float32Array {
  const [first] = embeds;
  if (first === undefined) {
    throw new ClipError('LABELS_INVALID', 'there are no reference texts', { expected: 'one or more' });
  }
  const center = new Float32Array(first.length);
  for (const embed of embeds) for (let e = 0; e < center.length; e++) center[e]! += embed[e]! / embeds.length;
  return center;
}

/**
 * Cosine of an image with what is left of a label's embedding when the background is taken off; 0 where nothing is.
 * @param imageEmbed [E], a unit vector
 * @param labelEmbed [E], a unit vector
 * @param center [E], of {@link textCenter}
 */
export function cosineOverBackground(
  imageEmbed: Float32Array,
  labelEmbed: Float32Array,
  center: Float32Array,
): number {
  let dot = 0;
  let square = 0;
  for (let e = 0; e < center.length; e++) {
    const own = labelEmbed[e]! - center[e]!;
    dot += imageEmbed[e]! * own;
    square += own * own;
  }
  return square === 0 ? 0 : dot / Math.sqrt(square);
}
