/**
 * Datasets in COCO format (https://cocodataset.org/#format-data): annotations/captions_{split}.json and, with
 * categories, annotations/instances_{split}.json; image files in images/{split}, {split} or beside each other.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ClipError } from '../errors.js';
import { byCodeUnits, FileIndex } from './file-index.js';
import { readElements } from './json-stream.js';
import { locateImages, type AnnotatedImage } from './locate-images.js';
import { cleanText, idKey, shown } from './names.js';
import type { Dataset, DatasetProblem, DatasetSplit, FileRule } from './types.js';

const ANNOTATIONS = 'annotations';
const FILE_NAME = /^(?:captions|instances)_(.+)\.json$/;

/** The split of an annotation file, by its name; undefined for other files. */
const splitOf = (fileName: string): string | undefined => FILE_NAME.exec(fileName)?.[1];

/** The dataset in `folder`, or undefined when it has no annotation file of this format. */
export async function openCoco(folder: string, rule: FileRule): Promise<Dataset | undefined> {
  const names = await readdir(join(folder, ANNOTATIONS)).catch(() => []);
  const files = names.filter((name) => splitOf(name) !== undefined).sort(byCodeUnits);
  if (files.length === 0) return undefined;
  return cocoDataset(
    folder,
    files.map((name) => join(folder, ANNOTATIONS, name)),
    rule,
  );
}

/** The dataset of one annotation file. Its images lie below the file's folder, or the one above `annotations`. */
export function openCocoFile(path: string, rule: FileRule): Dataset {
  const above = dirname(path);
  return cocoDataset(basename(above) === ANNOTATIONS ? dirname(above) : above, [path], rule);
}

function cocoDataset(folder: string, files: readonly string[], rule: FileRule): Dataset {
  const bySplit = new Map<string, string[]>();
  for (const file of files) {
    const split = splitOf(basename(file)) ?? basename(file, '.json');
    bySplit.set(split, [...(bySplit.get(split) ?? []), file]);
  }
  let index: Promise<FileIndex> | undefined;
  return {
    format: 'coco',
    splits: [...bySplit.keys()].sort(byCodeUnits),
    read: async (split) => {
      index ??= FileIndex.of(folder, rule);
      return readSplit(folder, split, bySplit.get(split) ?? [], await index);
    },
  };
}

/** The contents of the annotation files of a split; ids are unique in a split. */
interface Annotations {
  byId: Map<string, AnnotatedImage>;
  classes: Set<string>;
  problems: DatasetProblem[];
}

async function readSplit(
  folder: string,
  split: string,
  files: readonly string[],
  index: FileIndex,
): Promise<DatasetSplit> {
  const annotations: Annotations = { byId: new Map(), classes: new Set(), problems: [] };
  for (const file of files) await readAnnotations(file, annotations);
  const { byId, classes, problems } = annotations;
  const located = locateImages(folder, [...byId.values()], index, [`images/${split}`, split, 'images', '']);
  return {
    split,
    images: located.images,
    classes: [...classes],
    problems: [...problems, ...located.problems],
  };
}

const KEYS = ['images', 'annotations', 'categories'];

/** Adds the content of an annotation file. Elements may come in any order. */
async function readAnnotations(path: string, { byId, classes, problems }: Annotations): Promise<void> {
  const listed = new Map<string, string>();
  const repeated = new Set<string>();
  const captions = new Map<string, unknown[]>();
  const objects = new Map<string, string[]>();
  const categories = new Map<string, string>();
  const seen = await readElements(path, KEYS, (key, element) => {
    const fields = (typeof element === 'object' && element !== null ? element : {}) as Record<
      string,
      unknown
    >;
    if (key === 'images') {
      const [id, name] = [idKey(fields.id), fields.file_name];
      if (id === undefined) throw badField(path, 'images', 'id', 'a number or string', fields.id);
      if (typeof name !== 'string') throw badField(path, 'images', 'file_name', 'a string', name);
      if (listed.get(id) !== undefined && listed.get(id) !== name) repeated.add(id);
      listed.set(id, name);
    } else if (key === 'categories') {
      const [id, name] = [idKey(fields.id), cleanText(fields.name)];
      if (id === undefined) throw badField(path, 'categories', 'id', 'a number or string', fields.id);
      if (name !== undefined) categories.set(id, name);
    } else {
      const image = idKey(fields.image_id);
      if (image === undefined)
        throw badField(path, 'annotations', 'image_id', 'a number or string', fields.image_id);
      const category = idKey(fields.category_id);
      if (category !== undefined) append(objects, image, category);
      if (category === undefined || 'caption' in fields) append(captions, image, fields.caption);
    }
  });
  if (!seen.has('images')) {
    throw new ClipError('DATASET_INVALID', `${path} is not a COCO annotation file`, {
      expected: 'an object with the arrays "images" and "annotations"',
      found: seen.size === 0 ? 'neither' : `only "${[...seen].join('", "')}"`,
    });
  }
  const keep = (id: string, fileName: string): AnnotatedImage | undefined => {
    if (repeated.has(id)) return undefined;
    const known = byId.get(id);
    if (known === undefined) {
      const image: AnnotatedImage = { fileName, captions: [], tags: [] };
      byId.set(id, image);
      return image;
    }
    if (known.fileName === fileName) return known;
    repeated.add(id);
    return undefined;
  };
  for (const name of categories.values()) classes.add(name);
  for (const [id, fileName] of listed) {
    const image = keep(id, fileName);
    if (image === undefined) continue;
    for (const caption of captions.get(id) ?? []) {
      const text = cleanText(caption);
      if (text !== undefined) image.captions.push(text);
      else problems.push({ code: 'caption_invalid', name: fileName, detail: `found ${shown(caption)}` });
    }
    const tags = (objects.get(id) ?? []).flatMap((category) => categories.get(category) ?? []);
    image.tags = [...new Set([...image.tags, ...tags])];
  }
  for (const id of repeated) {
    byId.delete(id);
    problems.push({
      code: 'id_repeated',
      name: listed.get(id)!,
      detail: `another image has the id ${shown(id)} as well`,
    });
  }
  for (const id of new Set([...captions.keys(), ...objects.keys()])) {
    if (listed.has(id)) continue;
    problems.push({ code: 'annotation_orphaned', name: id, detail: `${path} lists no image with this id` });
  }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

function badField(path: string, list: string, field: string, expected: string, found: unknown): ClipError {
  return new ClipError('DATASET_INVALID', `${path}: an entry of "${list}" has no usable "${field}"`, {
    expected,
    found: shown(found),
  });
}
