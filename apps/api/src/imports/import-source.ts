/**
 * What an import is to bring in, as the reader of datasets finds it (libs/clip/data): the rules by which an annotation's image
 * is found are those of training.
 */
import { stat } from 'node:fs/promises';
import { ClipError, type ImageFormat } from '@clip-ts/clip/preprocess';
import {
  openDataset,
  openImageFolder,
  type Dataset,
  type DatasetProblemCode,
  type ImageLocation,
} from '@clip-ts/clip/data';
import { Problem } from '../problems/problem.js';
import { cleanText } from '../text/clean-text.js';

/** One image to import, or why one cannot be. */
export type SourceItem = SourceImage | SourceFailure;
interface SourceFailure {
  file: string;
  code: 'import_unreadable' | 'unsupported_image_format';
  failure: string;
}
export interface SourceImage {
  /** Its path below the folder of the import; its archive and name where it lies in one. */
  file: string;
  location: ImageLocation;
  captions: string[];
  tags: string[];
}

export interface SourceOptions {
  format: 'auto' | 'coco' | 'folder';
  split?: string;
  limit?: number;
  /** IMAGE_FORMATS: files that are named as of another format are failures. */
  formats: readonly ImageFormat[];
}

/** Problems of a dataset with which an image, or several, cannot be taken. */
const FAILURES: readonly DatasetProblemCode[] = [
  'image_missing',
  'image_ambiguous',
  'id_repeated',
  'name_invalid',
  'folder_unreadable',
  'link_outside',
  'format_unsupported',
];

/**
 * The images at `path` (a folder, or an annotation file), always in the same order, and what is no image of it by then.
 * Throws `import_unreadable` when there is nothing to import or an annotation file cannot be read.
 */
export async function readSource(path: string, options: SourceOptions): Promise<SourceItem[]> {
  try {
    const items = await readItems(path, options);
    if (items.length === 0) throw unreadable(`There are no images in ${path}.`);
    return items.slice(0, options.limit);
  } catch (error) {
    throw error instanceof ClipError ? unreadable(`${error.message}.`) : error;
  }
}

async function readItems(path: string, { format, split, formats }: SourceOptions): Promise<SourceItem[]> {
  const dataset = await openSource(path, format, formats);
  if (split !== undefined && !dataset.splits.includes(split)) {
    const there = dataset.splits.join(', ');
    throw unreadable(`There is no split ${split} in ${path}. It has ${there === '' ? 'none' : there}.`);
  }
  // Names of folders are not captions of what they hold, unless the request says so.
  const described = dataset.format !== 'class-folders' && dataset.format !== 'images';
  const images = new Map<string, SourceImage>();
  const failures = new Map<string, SourceFailure>();
  for (const each of split === undefined ? dataset.splits : [split]) {
    const read = await dataset.read(each);
    for (const { name, location, captions, tags } of read.images) {
      const image = images.get(name) ?? { file: name, location, captions: [], tags: [] };
      images.set(name, image);
      if (!described) continue;
      image.captions = joined(image.captions, captions);
      image.tags = joined(image.tags, tags);
    }
    for (const { code, name, detail } of read.problems)
      if (FAILURES.includes(code)) failures.set(`${code} ${name}`, failureOf(code, name, detail));
  }
  const items = [...images.values(), ...failures.values()];
  return items.sort((a, b) => (a.file < b.file ? -1 : 1));
}

function failureOf(code: DatasetProblemCode, file: string, detail: string): SourceFailure {
  return code === 'format_unsupported'
    ? { file, code: 'unsupported_image_format', failure: `${detail} (setting IMAGE_FORMATS).` }
    : { file, code: 'import_unreadable', failure: `${detail}.` };
}

async function openSource(
  path: string,
  format: SourceOptions['format'],
  formats: readonly ImageFormat[],
): Promise<Dataset> {
  const isFolder = (await stat(path)).isDirectory();
  if (format === 'folder') {
    if (!isFolder) throw unreadable(`${path} is not a folder.`);
    return openImageFolder(path, { formats });
  }
  const dataset = await openDataset(path, { formats });
  if (format === 'coco' && dataset.format !== 'coco')
    throw unreadable(`There is no annotations/captions_*.json or instances_*.json in ${path}.`);
  return dataset;
}

const joined = (known: readonly string[], more: readonly string[]): string[] => [
  ...new Set([...known, ...more.map((text) => cleanText(text).trim()).filter((text) => text !== '')]),
];

function unreadable(detail: string): Problem {
  return new Problem('import_unreadable', detail);
}
