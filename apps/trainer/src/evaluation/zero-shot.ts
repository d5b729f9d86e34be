/**
 * Zero-shot classification accuracy: the class whose text is nearest to the image wins. Each class is the mean of
 * several prompts' embeddings (Radford et al. 2021, prompt ensembling). Only images whose objects are all of one category
 * are counted; the classes are all of the dataset's categories.
 * L classes, E embedding.
 */
import type { CaptionedSplit } from '../data/read-dataset.js';
import { dot } from './retrieval.js';

export interface ZeroShotResult {
  name: string;
  classes: number;
  images: number;
  top1: number;
  top5: number;
}

/** Each takes the class name with its article, e.g. "an orange ring". */
export const PROMPTS: readonly ((thing: string) => string)[] = [
  (thing) => thing,
  (thing) => `a photo of ${thing}`,
  (thing) => `a picture of ${thing}`,
  (thing) => `an image with ${thing}`,
];

const withArticle = (name: string): string => `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`;

/** All prompts of all classes, class by class. */
export const promptsOf = (names: readonly string[]): string[] =>
  names.flatMap((name) => PROMPTS.map((prompt) => prompt(withArticle(name))));

/** Unit-norm means of the prompts' embeddings: [L × prompts][E] → [L][E]. */
export function classEmbeddings(promptEmbeds: readonly Float32Array[]): Float32Array[] {
  const classes: Float32Array[] = [];
  for (let from = 0; from < promptEmbeds.length; from += PROMPTS.length) {
    const mean = new Float32Array(promptEmbeds[from]!.length);
    for (const embed of promptEmbeds.slice(from, from + PROMPTS.length)) {
      embed.forEach((value, e) => (mean[e] = mean[e]! + value));
    }
    const length = Math.sqrt(dot(mean, mean));
    classes.push(mean.map((value) => value / length));
  }
  return classes;
}

export interface LabelledImages {
  /** Names of the classes, in the order of the labels. */
  names: string[];
  /** Index into the split's images, and of its class. */
  labelled: { image: number; label: number }[];
}

/** The split's images that are of one class: all objects of one category, or a folder of their own. */
export function labelImages({ images, classes }: Pick<CaptionedSplit, 'images' | 'classes'>): LabelledImages {
  const labels = new Map(classes.map((name, label) => [name, label]));
  const labelled = images.flatMap(({ tags: [only, ...others] }, image) => {
    const label = only === undefined || others.length > 0 ? undefined : labels.get(only);
    return label === undefined ? [] : [{ image, label }];
  });
  return { names: classes, labelled };
}

/** Accuracy over the labelled images. A class that scores the same as the right one counts as ahead of it. */
export function zeroShotAccuracy(
  name: string,
  imageEmbeds: readonly Float32Array[],
  classEmbeds: readonly Float32Array[],
  labelled: LabelledImages['labelled'],
): ZeroShotResult {
  let [top1, top5] = [0, 0];
  for (const { image, label } of labelled) {
    const scores = classEmbeds.map((embed) => dot(embed, imageEmbeds[image]!));
    const ahead = scores.filter((score, other) => other !== label && score >= scores[label]!).length;
    if (ahead < 1) top1++;
    if (ahead < 5) top5++;
  }
  const images = labelled.length;
  return { name, classes: classEmbeds.length, images, top1: top1 / images, top5: top5 / images };
}
