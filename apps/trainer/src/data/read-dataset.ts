/**
 * The splits of a dataset as training and evaluation take them: images with captions. What an annotation could mean
 * wrongly ends the run, by name; what is merely incomplete is left out and counted.
 */
import { createHash } from 'node:crypto';
import { ClipError } from '@clip-ts/clip';
import {
  openDataset,
  type Dataset,
  type DatasetImage,
  type DatasetProblem,
  type DatasetProblemCode,
} from '@clip-ts/clip/data';
import { InputError } from '../errors.js';
import { cocoHelp } from './coco-help.js';

export interface CaptionedSplit {
  /** Its name. */
  split: string;
  /** Images that have a file and at least one caption, in the order of the dataset. */
  images: DatasetImage[];
  /** All classes or categories of the dataset; the images' tags are among them. */
  classes: string[];
  /** What was left out and why, for the user. */
  warnings: string[];
}

/** Problems with which an image might get another image's captions, or none that its owner counts on. */
const FATAL: readonly DatasetProblemCode[] = [
  'image_missing',
  'image_ambiguous',
  'id_repeated',
  'name_invalid',
];
const LEFT_OUT: Partial<Record<DatasetProblemCode, string>> = {
  caption_missing: 'images have no caption and are left out',
  caption_invalid: 'captions are empty or not texts and are left out',
  annotation_orphaned: 'annotations name images that are not listed and are left out',
  folder_unreadable: 'folders cannot be read and are left out',
  link_outside: 'links lead out of the dataset or to nothing and are left out',
  format_unsupported: 'images are of formats that are not read and are left out',
};

/** Fraction of the images that is kept for validation where the dataset has one split only. */
const HELD_OUT = 0.05;

/** Opens what `--data` names. @throws InputError */
export async function openData(path: string): Promise<Dataset> {
  try {
    // Folders of images often lie on another disk.
    return await openDataset(path, { links: 'anywhere' });
  } catch (error) {
    if (!(error instanceof ClipError)) throw error;
    const help = error.code === 'DATASET_NOT_FOUND' ? `\n${cocoHelp(path)}` : '';
    throw new InputError(`--data ${path}: ${error.message}${help}`);
  }
}

/**
 * Both splits of a run. Where neither is named and the dataset has one split, some of its images are kept for validation.
 * @throws InputError when a split is missing, or an image of it is ambiguous
 */
export async function readTrainingData(
  path: string,
  names: { training?: string; validation?: string },
): Promise<{ training: CaptionedSplit; validation: CaptionedSplit }> {
  const dataset = await openData(path);
  if (names.training === undefined && names.validation === undefined && dataset.splits.length === 1) {
    return holdOut(await readCaptioned(dataset, path, dataset.splits[0]!));
  }
  const training = pickSplit(dataset, path, '--train-split', names.training, TRAINING_NAMES);
  const validation = pickSplit(dataset, path, '--validation-split', names.validation, VALIDATION_NAMES);
  return {
    training: await readCaptioned(dataset, path, training),
    validation: await readCaptioned(dataset, path, validation),
  };
}

/** The split to measure: the one that is named, else the one for validation, else the only one. */
export function pickEvaluationSplit(dataset: Dataset, path: string, name: string | undefined): string {
  if (name === undefined && dataset.splits.length === 1) return dataset.splits[0]!;
  return pickSplit(dataset, path, '--split', name, VALIDATION_NAMES);
}

/** Usual names, the likeliest first. */
const TRAINING_NAMES = [/^train2017$/, /^train(ing)?$/i, /^train/i];
const VALIDATION_NAMES = [
  /^val2017$/,
  /^(val|valid|validation|dev)$/i,
  /^(val|valid|validation|dev)[-_]?\d{4}$/i,
  /^test/i,
];

function pickSplit(
  { splits }: Dataset,
  path: string,
  option: string,
  name: string | undefined,
  usual: readonly RegExp[],
): string {
  const found =
    name === undefined
      ? usual.flatMap((pattern) => splits.filter((split) => pattern.test(split)))[0]
      : splits.find((split) => split === name);
  if (found !== undefined) return found;
  const there = splits.length === 0 ? 'none' : splits.join(', ');
  throw new InputError(
    name === undefined
      ? `--data ${path}: no split has a usual name; name one with ${option}; it has ${there}`
      : `--data ${path}: there is no split ${name}; it has ${there}`,
  );
}

/**
 * @param uncaptioned 'kept' for what needs classes alone
 * @throws InputError when an image is ambiguous, or none is left
 */
export async function readCaptioned(
  dataset: Dataset,
  path: string,
  split: string,
  uncaptioned: 'left out' | 'kept' = 'left out',
): Promise<CaptionedSplit> {
  const { images, classes, problems } = await dataset.read(split).catch((error: unknown) => {
    throw error instanceof ClipError ? new InputError(`--data ${path}: ${error.message}`) : error;
  });
  const fatal = problems.filter(({ code }) => FATAL.includes(code));
  if (fatal.length > 0) {
    const total = images.length + fatal.length;
    throw new InputError(
      `--data ${path}: ${fatal.length} of ${total} images of ${split} cannot be used: ${listed(fatal)}`,
    );
  }
  const captioned = uncaptioned === 'kept' ? images : images.filter(({ captions }) => captions.length > 0);
  if (captioned.length === 0) {
    throw new InputError(
      `--data ${path}: no image${dataset.splits.length === 1 ? '' : ` of ${split}`} has a caption (read as ${dataset.format}); add captions, for instance ` +
        'a metadata.csv with the columns file_name and caption, or a folder for each class (docs/training.md#data)',
    );
  }
  const warnings = Object.entries(LEFT_OUT).flatMap(([code, text]) => {
    const some = problems.filter((problem) => problem.code === code);
    const names = some.map(({ name }) => name);
    return some.length === 0 ? [] : [`${split}: ${some.length} ${text}: ${few(names)}`];
  });
  return { split, images: captioned, classes, warnings };
}

const listed = (problems: readonly DatasetProblem[]): string =>
  few(problems.map(({ name, detail }) => `${name} (${detail})`));

/** The first items, and how many there are. */
export const few = (items: readonly string[]): string =>
  items.slice(0, 3).join(', ') + (items.length > 3 ? `, … (${items.length} in all)` : '');

/** Which images are held out depends on their names alone, so that it stays the same when others are added. */
function holdOut(split: CaptionedSplit): { training: CaptionedSplit; validation: CaptionedSplit } {
  const rank = ({ name }: DatasetImage) =>
    createHash('sha256').update(name).digest().readUInt32LE() / 2 ** 32;
  const lowest = split.images.reduce((least, image) => Math.min(least, rank(image)), 1);
  const isHeldOut = (image: DatasetImage) => rank(image) < HELD_OUT || rank(image) === lowest;
  const part = (heldOut: boolean) => split.images.filter((image) => isHeldOut(image) === heldOut);
  const validation = part(true);
  const said = `no validation split: ${validation.length} of ${split.images.length} images are held out for it`;
  return {
    training: { ...split, images: part(false), warnings: [...split.warnings, said] },
    validation: { ...split, split: `${split.split} (held out)`, images: validation, warnings: [] },
  };
}
