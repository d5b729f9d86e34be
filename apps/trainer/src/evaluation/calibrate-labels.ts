/**
 * Fits how likely a label describes an image to the model's cosines, on captioned images: common nouns are labels, right
 * where a caption names them and wrong where none does. POST /classify then judges labels by themselves and offers "none of
 * the above" by that curve (docs/decisions/030-background-class.md).
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  ClipEncoder,
  REFERENCE_LABELS,
  cosineOverBackground,
  fitCalibration,
  labelPrompts,
  textCenter,
  type JudgedPair,
  type LabelCalibration,
} from '@clip-ts/clip';
import { readImageBytes, type DatasetImage } from '@clip-ts/clip/data';

/** Nouns of the reference labels that captions name when they are to be seen, unlike "sky" or "face". */
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

/** Images that are looked at, evenly from the split. */
const MOST_IMAGES = 512;
/** A noun counts when captions of this many images name it. */
const FEWEST_IMAGES = 4;
const FEWEST_NOUNS = 5;

/**
 * Writes `label_calibration` into config.json of an exported checkpoint, where the captions allow one; that of the model from
 * which the run started holds no longer.
 * @param images with captions that the model was not trained on
 */
export async function writeCalibration(folder: string, images: readonly DatasetImage[]): Promise<void> {
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  const calibration = await calibrationOf(folder, images);
  if (calibration === undefined && config.label_calibration === undefined) return;
  // JSON leaves out what is undefined.
  await writeFile(file, `${JSON.stringify({ ...config, label_calibration: calibration }, null, 2)}\n`);
}

/** Undefined where the captions name too few of the nouns, or the model does not tell right from wrong ones. */
async function calibrationOf(
  folder: string,
  images: readonly DatasetImage[],
): Promise<LabelCalibration | undefined> {
  const step = Math.max(1, images.length / MOST_IMAGES);
  const count = Math.floor(images.length / step);
  const chosen = Array.from({ length: count }, (_, i) => images[Math.floor(i * step)]!).map(
    ({ captions, location }) => ({ words: new Set(captions.flatMap(wordsOf)), location }),
  );
  const imagesWith = (noun: string) => chosen.filter(({ words }) => words.has(noun)).length;
  const nouns = NOUNS.filter((noun) => imagesWith(noun) >= FEWEST_IMAGES);
  if (nouns.length < FEWEST_NOUNS) return undefined;
  const encoder = await ClipEncoder.load(folder);
  try {
    // Models of the sigmoid kind have learned how likely a text describes an image.
    if (encoder.logitBias !== undefined) return undefined;
    const center = textCenter(await encoder.encodeTexts(labelPrompts(REFERENCE_LABELS, TEMPLATE)));
    const labels = await encoder.encodeTexts(labelPrompts(nouns, TEMPLATE));
    const pairs: JudgedPair[] = [];
    for (const { words, location } of chosen) {
      const [embed] = await encoder.encodeImages([await readImageBytes(location)]);
      for (const [n, noun] of nouns.entries()) {
        const isRight = words.has(noun);
        const cosine = cosineOverBackground(embed!, labels[n]!, center);
        // Each noun weighs the same, on both sides.
        const weight = 1 / (isRight ? imagesWith(noun) : chosen.length - imagesWith(noun));
        pairs.push({ cosine, isRight, weight });
      }
    }
    const calibration = pairs.some(({ isRight }) => !isRight) ? fitCalibration(pairs) : undefined;
    return calibration !== undefined && calibration.slope > 0 ? calibration : undefined;
  } finally {
    await encoder.dispose();
  }
}

/** The words of a caption in lower case, a plural in -s also without it. */
function wordsOf(caption: string): string[] {
  const words = caption.toLowerCase().match(/\p{L}+/gu) ?? [];
  return words.flatMap((word) => (word.endsWith('s') ? [word, word.slice(0, -1)] : [word]));
}
