/**
 * Retrieval recall both ways, a function of embeddings or scores alone. The rank of a query is the number of wrong
 * items that score at least as high as its best right one (ties count against the model), counted from 0; R@k is the
 * fraction of queries with rank < k. Text → image has one right image for each caption; image → text takes the best of the image's captions.
 * Letters: C captions, N images, E embedding.
 */
import * as tf from '@tensorflow/tfjs-core';

export interface Recall {
  r1: number;
  r5: number;
  r10: number;
}

export interface RetrievalResult {
  text_to_image: Recall;
  image_to_text: Recall;
  images: number;
  captions: number;
}

/** Fractions of the ranks (counted from 0) below 1, 5 and 10. */
export function recallOf(ranks: Int32Array): Recall {
  const share = (k: number) => ranks.reduce((count, rank) => count + (rank < k ? 1 : 0), 0) / ranks.length;
  return { r1: share(1), r5: share(5), r10: share(10) };
}

export interface RetrievalRanks {
  /** [C], from 0 */
  textToImage: Int32Array;
  /** [N], from 0 */
  imageToText: Int32Array;
}

/** The scores of captions `from` to `to` − 1 with all images: [to − from, N]. */
export type ScoreRows = (from: number, to: number) => Float32Array | Promise<Float32Array>;

/** Captions whose scores are asked for at a time. */
const ROWS = 256;

/**
 * Ranks from scores computed on demand, so that the [C, N] matrix need not exist.
 * @param owner [C] the image index of each caption; every image owns at least one
 * @param scoresOf called twice for each part of the captions
 */
export async function retrievalRanks(
  owner: ArrayLike<number>,
  imageCount: number,
  scoresOf: ScoreRows,
): Promise<RetrievalRanks> {
  const captionCount = owner.length;
  const right = new Float32Array(captionCount);
  const best = new Float32Array(imageCount).fill(-Infinity);
  const forEachRow = async (use: (caption: number, scores: Float32Array) => void) => {
    for (let from = 0; from < captionCount; from += ROWS) {
      const to = Math.min(from + ROWS, captionCount);
      const scores = await scoresOf(from, to);
      for (let caption = from; caption < to; caption++) {
        const start = (caption - from) * imageCount;
        use(caption, scores.subarray(start, start + imageCount));
      }
    }
  };
  await forEachRow((caption, scores) => {
    const own = owner[caption]!;
    right[caption] = scores[own]!;
    best[own] = Math.max(best[own]!, right[caption]);
  });
  const textToImage = new Int32Array(captionCount);
  const imageToText = new Int32Array(imageCount);
  await forEachRow((caption, scores) => {
    const own = owner[caption]!;
    for (let image = 0; image < imageCount; image++) {
      if (image === own) continue;
      if (scores[image]! >= right[caption]!) textToImage[caption]!++;
      if (scores[image]! >= best[image]!) imageToText[image]!++;
    }
  });
  return { textToImage, imageToText };
}

/**
 * Recall over unit-norm embeddings, compared on TensorFlow.js' current backend.
 * @param images [N, E]
 * @param texts [C, E]
 * @param owner [C]
 */
export async function retrievalRecall(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  owner: ArrayLike<number>,
): Promise<RetrievalResult> {
  const columns = tf.tensor2d(flat(images), [images.length, images[0]!.length]);
  try {
    const scoresOf = (from: number, to: number) => products(texts.slice(from, to), columns);
    const { textToImage, imageToText } = await retrievalRanks(owner, images.length, scoresOf);
    return {
      text_to_image: recallOf(textToImage),
      image_to_text: recallOf(imageToText),
      images: images.length,
      captions: texts.length,
    };
  } finally {
    columns.dispose();
  }
}

/**
 * Inner products of rows with all columns. The rows are filled up to one number: an engine may add up in another order for
 * another shape, and equal embeddings have to tie wherever they stand.
 */
async function products(rows: readonly Float32Array[], columns: tf.Tensor2D): Promise<Float32Array> {
  const scores = tf.tidy(() => {
    const values = new Float32Array(ROWS * columns.shape[1]);
    values.set(flat(rows));
    return tf.matMul(tf.tensor2d(values, [ROWS, columns.shape[1]]), columns, false, true);
  });
  try {
    return (await scores.data<'float32'>()).subarray(0, rows.length * columns.shape[0]);
  } finally {
    scores.dispose();
  }
}

function flat(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]!.length;
  const values = new Float32Array(rows.length * width);
  rows.forEach((row, n) => {
    values.set(row, n * width);
  });
  return values;
}

/** Inner product of two vectors of the same length. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let e = 0; e < a.length; e++) sum += a[e]! * b[e]!;
  return sum;
}
