/** The data of a run: both splits, read, checked and made ready for a model. */
import path from 'node:path';
import type { RunSettings } from '../../config/run-settings.js';
import { fingerprint, imageSizes } from '../../data/fingerprint.js';
import { sharedImages } from '../../data/overlap.js';
import { openResizedFiles } from '../../data/images/resized-files.js';
import { openPairSources, type PairSource } from '../../data/pair-source.js';
import { few, openData, readTrainingData, type CaptionedSplit } from '../../data/read-dataset.js';
import {
  findUnreadable,
  keepUnreadable,
  knownUnreadable,
  unreadableFile,
  type UnreadableImage,
} from '../../data/unreadable-images.js';
import { InputError } from '../../errors.js';
import type { ProgressPrinter } from '../../logging/progress.js';
import type { AssembledModel } from '../../model/assembled-model.js';

export interface RunSplits {
  training: CaptionedSplit;
  validation: CaptionedSplit;
  /** Hashes of the splits' content. */
  fingerprints: Record<'training' | 'validation', string>;
}

/** A split with the bytes of its images' files, and the hash of its content. */
interface CheckedSplit {
  split: CaptionedSplit;
  sizes: number[];
  hash: string;
}

const isImageFolder = async (data: string): Promise<boolean> =>
  ['class-folders', 'images'].includes((await openData(data)).format);

/**
 * A folder of images is read as it is: what the run writes there, such as its first batch as a picture, would be the images of
 * a class in the next run, and a new folder beside those of splits makes classes of them.
 * @throws InputError
 */
export async function assertOutsideImages({ data, output }: RunSettings): Promise<void> {
  const below = path.relative(path.resolve(data), path.resolve(output));
  if (below.startsWith('..') || path.isAbsolute(below) || !(await isImageFolder(data))) return;
  throw new InputError(
    `--output ${output} lies in --data ${data}, whose folders are read as images: what the run writes there would be trained ` +
      'on; name an --output outside of it',
  );
}

/**
 * @param verify decode every image first, and leave out those that cannot be
 * @throws InputError when a split cannot be trained or validated on
 */
export async function readSplits(
  settings: RunSettings,
  verify: boolean,
  printer: ProgressPrinter,
): Promise<RunSplits> {
  const { data, trainSplit, validationSplit } = settings;
  const names = { training: trainSplit, validation: validationSplit };
  const splits = await readTrainingData(data, names);
  for (const { warnings } of [splits.training, splits.validation])
    for (const warning of warnings) printer.log(`warning: ${warning}`);
  const training = await withoutUnreadable(splits.training, settings, verify, printer);
  const validation = await withoutUnreadable(splits.validation, settings, verify, printer);
  if (training.split.images.length < 2)
    throw new InputError(
      `--data ${data}: ${training.split.split} needs at least 2 images, found ${training.split.images.length}`,
    );
  if (validation.split.images.length === 0)
    throw new InputError(`--data ${data}: no image of ${validation.split.split} is left to validate on`);
  const { length } = validation.split.images;
  if (length <= FEW_IMAGES) {
    const count = length === 1 ? '1 image' : `${length} images`;
    printer.log(`warning: ${count} to validate on: R@10 is 1 for every model, and the loss means little`);
  }
  await warnAboutOverlap(training, validation, printer.log);
  return {
    training: training.split,
    validation: validation.split,
    fingerprints: { training: training.hash, validation: validation.hash },
  };
}

/** Among so many, every image is one of the first ten. */
const FEW_IMAGES = 10;

const NAMED = 20;

/** The split without the images that are found to be unreadable, now or by an earlier run in the same folder. */
async function withoutUnreadable(
  split: CaptionedSplit,
  { output, stages, workers }: RunSettings,
  verify: boolean,
  printer: ProgressPrinter,
): Promise<CheckedSplit> {
  const { images, split: name } = split;
  const sizes = await imageSizes(images);
  const whole = fingerprint(images, sizes);
  let unreadable = await knownUnreadable(output, name, whole);
  if (unreadable === undefined && verify) {
    unreadable = await findUnreadable(name, images, workers.training, printer);
    await keepUnreadable(output, name, whole, unreadable);
  }
  if (unreadable === undefined || unreadable.length === 0) return { split, sizes, hash: whole };
  refuseTooMany(unreadable, split, stages, output);
  for (const image of unreadable.slice(0, NAMED))
    printer.log(`warning: ${name}: ${image.name}: ${image.reason}`);
  printer.log(
    `warning: ${name}: ${unreadable.length} of ${images.length} images are unreadable and left out; ` +
      `all are named in ${unreadableFile(output)}`,
  );
  const left = new Set(unreadable.map((image) => image.name));
  const isReadable = (index: number) => !left.has(images[index]!.name);
  const readable = images.filter((_, n) => isReadable(n));
  const readableSizes = sizes.filter((_, n) => isReadable(n));
  return {
    split: { ...split, images: readable },
    sizes: readableSizes,
    hash: fingerprint(readable, readableSizes),
  };
}

function refuseTooMany(
  unreadable: readonly UnreadableImage[],
  { split, images }: CaptionedSplit,
  stages: RunSettings['stages'],
  output: string,
): void {
  const limit = Math.max(0, ...stages.map(({ config }) => config.max_bad_fraction));
  if (unreadable.length <= limit * images.length) return;
  const names = few(unreadable.map(({ name, reason }) => `${name} (${reason})`));
  throw new InputError(
    `${unreadable.length} of ${images.length} images of ${split} are unreadable, which is more than ` +
      `"max_bad_fraction" ${limit} allows: ${names}; all are named in ${unreadableFile(output)}`,
  );
}

async function warnAboutOverlap(
  training: CheckedSplit,
  validation: CheckedSplit,
  log: (line: string) => void,
): Promise<void> {
  const sized = ({ split: { images }, sizes }: CheckedSplit) => ({ images, sizes });
  const shared = await sharedImages(sized(training), sized(validation));
  if (shared.length === 0) return;
  const total = validation.split.images.length;
  log(
    `warning: ${shared.length} of ${total} validation images are training images too, so that validation is too ` +
      `good: ${few(shared)}`,
  );
}

export interface RunSources {
  training: PairSource;
  validation: PairSource;
  /** How many bytes of decoded images may be kept in memory from now on: none before. */
  keepImages: (bytes: number) => void;
  /** Ends the threads that decode images. */
  closeSources: () => Promise<void>;
}

/**
 * @param imageCache folder in which resized images are kept on disk; none when absent
 * @throws InputError when the disk has no room for the resized images
 */
export async function openSources(
  { training, validation }: RunSplits,
  assembled: AssembledModel,
  { workers, stages }: RunSettings,
  imageCache: string | undefined,
  log: (line: string) => void,
): Promise<RunSources> {
  const splits = [
    { split: training, threads: workers.training, tokens: assembled.corpus },
    { split: validation, threads: workers.validation },
  ];
  const images = splits.map(({ split }) => split.images);
  const files = imageCache === undefined ? [] : await openResizedFiles(imageCache, images, assembled, log);
  for (const { name, config } of imageCache === undefined ? [] : stages)
    if (config.augmentation !== 'none')
      log(`stage "${name}" shows crops of the originals in training, which are not kept on disk`);
  const { sources, keepImages, close } = openPairSources(
    splits.map((split, n) => ({ ...split, resizedFile: files[n] })),
    assembled,
    log,
  );
  return { training: sources[0]!, validation: sources[1]!, keepImages, closeSources: close };
}
