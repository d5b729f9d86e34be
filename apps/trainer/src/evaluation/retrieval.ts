/**
 * Retrieval recall both ways, a pure function of embeddings or scores. The rank of a query is the number of wrong
 * items that score at least as high as its best right one (ties count against the model), counted from 0; R@k is the
 * fraction of queries with rank < k. Text → image has one right image for each caption; image → text takes the best of the image's captions.
 * Letters: C captions, N images, E embedding.
 */
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

/**
 * Ranks from scores computed on demand, so that the [C, N] matrix need not exist.
 * @param owner [C] the image index of each caption; every image owns at least one
 * @param score of a caption and an image; called once for each wrong pair and once for each right one
 */
export function retrievalRanks(
  owner: ArrayLike<number>,
  imageCount: number,
  score: (caption: number, image: number) => number,
): RetrievalRanks {
  const captionCount = owner.length;
  const right = new Float64Array(captionCount);
  const best = new Float64Array(imageCount).fill(-Infinity);
  for (let caption = 0; caption < captionCount; caption++) {
    const own = owner[caption]!;
    right[caption] = score(caption, own);
    best[own] = Math.max(best[own]!, right[caption]!);
  }
  const textToImage = new Int32Array(captionCount);
  const imageToText = new Int32Array(imageCount);
  for (let caption = 0; caption < captionCount; caption++) {
    const own = owner[caption]!;
    for (let image = 0; image < imageCount; image++) {
      if (image === own) continue;
      const wrong = score(caption, image);
      if (wrong >= right[caption]!) textToImage[caption]!++;
      if (wrong >= best[image]!) imageToText[image]!++;
    }
  }
  return { textToImage, imageToText };
}

/**
 * Recall over unit-norm embeddings.
 * @param images [N, E]
 * @param texts [C, E]
 * @param owner [C]
 */
export function retrievalRecall(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  owner: ArrayLike<number>,
): RetrievalResult {
  const score = (caption: number, image: number) => dot(texts[caption]!, images[image]!);
  const { textToImage, imageToText } = retrievalRanks(owner, images.length, score);
  return {
    text_to_image: recallOf(textToImage),
    image_to_text: recallOf(imageToText),
    images: images.length,
    captions: texts.length,
  };
}

/** Inner product of two vectors of the same length. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let e = 0; e < a.length; e++) sum += a[e]! * b[e]!;
  return sum;
}
