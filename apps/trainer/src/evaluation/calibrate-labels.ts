/**
 * Fits how likely a label describes an image to the model's cosines, on captioned images: common nouns are labels, right
 * where a caption names them and wrong where none does. POST /classify then judges labels by themselves and offers "none of
 * the above" by that curve (docs/decisions/030-background-class.md).
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  REFERENCE_LABELS,
  cosineOverBackground,
  fitCalibration,
  labelPrompts,
  textCenter,
  type JudgedPair,
  type LabelCalibration,
} from '@clip-ts/clip';
import type { DatasetImage } from '@clip-ts/clip/data';

/** Nouns of the reference labels that captions name when they are visible, unlike "sky" or "face". */
const NOUNS = [
  ...[
    'baby',
    'dog',
    'cat',
    'horse',
    'cow',
    'bird',
    'fish',
    'flower',
    'fruit',
    'meal',
    'bridge',
    'beach',
    'mountain',
  ],
  ...[
    'river',
    'lake',
    'snow',
    'bus',
    'train',
    'bicycle',
    'boat',
    'airplane',
    'bed',
    'computer',
    'ball',
    'clock',
  ],
];
const TEMPLATE = 'a photo of a {}';

/** A noun counts when captions of this many images name it. */
const FEWEST_IMAGES = 4;
const FEWEST_NOUNS = 5;

/**
 * Writes `label_calibration` into config.json of a checkpoint; that of the model from which the run started holds no longer.
 * @param calibration undefined: none
 */
export async function writeCalibration(
  folder: string,
  calibration: LabelCalibration | undefined,
): Promise<void> {
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  if (calibration === undefined && config.label_calibration === undefined) return;
  // JSON leaves out what is undefined.
  await writeFile(file, `${JSON.stringify({ ...config, label_calibration: calibration }, null, 2)}\n`);
}

/**
 * Undefined where the captions name too few of the nouns, or the model does not tell right from wrong ones.
 * @param images with captions that the model was not trained on
 * @param imageEmbeds [N, E] of those images, unit-norm
 * @param embedTexts gives the text_embeds of texts
 */
export async function labelCalibration(
  images: readonly Pick<DatasetImage, 'captions'>[],
  imageEmbeds: readonly Float32Array[],
  embedTexts: (texts: readonly string[]) => Promise<Float32Array[]>,
): Promise<LabelCalibration | undefined> {
  const words = images.map(({ captions }) => new Set(captions.flatMap(wordsOf)));
  const named = NOUNS.map((noun) => ({ noun, count: words.filter((own) => own.has(noun)).length }));
  const nouns = named.filter(({ count }) => count >= FEWEST_IMAGES);
  if (nouns.length < FEWEST_NOUNS) return undefined;
  const center = textCenter(await embedTexts(labelPrompts(REFERENCE_LABELS, TEMPLATE)));
  const labels = await embedTexts(
    labelPrompts(
      nouns.map(({ noun }) => noun),
      TEMPLATE,
    ),
  );
  const pairs: JudgedPair[] = imageEmbeds.flatMap((embed, i) =>
    nouns.map(({ noun, count }, n) => {
      const isRight = words[i]!.has(noun);
      const cosine = cosineOverBackground(embed, labels[n]!, center);
      // Each noun weighs the same, on both sides.
      return { cosine, isRight, weight: 1 / (isRight ? count : images.length - count) };
    }),
  );
  const calibration = pairs.some(({ isRight }) => !isRight) ? fitCalibration(pairs) : undefined;
  return calibration !== undefined && calibration.slope > 0 ? calibration : undefined;
}

/** The words of a caption in lower case, a plural in -s also without it. */
function wordsOf(caption: string): string[] {
  const words = caption.toLowerCase().match(/\p{L}+/gu) ?? [];
  return words.flatMap((word) => (word.endsWith('s') ? [word, word.slice(0, -1)] : [word]));
}
