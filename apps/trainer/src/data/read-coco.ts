/**
 * Reads a dataset in COCO format (cocodataset.org/#format-data): annotations/captions_{split}.json, optionally
 * instances_{split}.json, and image files under images/{split} or {split}. A split's files may also lie in the folder
 * of another split, as in small extracts of COCO.
 */
import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJson } from '../config/read-config.js';
import { InputError } from '../errors.js';
import { cocoHelp } from './coco-help.js';

export interface CocoImage {
  id: number;
  /** Path of the file. */
  file: string;
  captions: string[];
}

export interface CocoSplit {
  /** Its name. */
  split: string;
  /** Images that have a file and at least one caption, in the order of the captions file. */
  images: CocoImage[];
  /** What was left out and why, for the user. */
  warnings: string[];
}

export interface CocoInstances {
  /** Category name by id. */
  categories: Map<number, string>;
  /** Image id → category ids, one for each object in the image. */
  objects: Map<number, number[]>;
}

const text = z.string('expected a string');
const id = z.int('expected an integer');

const captionsSchema = z.object({
  images: z.array(z.object({ id, file_name: text }), 'expected an array'),
  annotations: z.array(z.object({ image_id: id, caption: text }), 'expected an array'),
});

const instancesSchema = z.object({
  annotations: z.array(z.object({ image_id: id, category_id: id }), 'expected an array'),
  categories: z.array(z.object({ id, name: text }), 'expected an array'),
});

function parse<T>(schema: z.ZodType<T>, content: unknown, file: string): T {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const { path: keys, message } = result.error.issues[0]!;
  throw new InputError(`${file}: "${keys.join('.')}": ${message}`);
}

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

const list = (items: readonly string[]) =>
  items.slice(0, 3).join(', ') + (items.length > 3 ? `, … (${items.length} in all)` : '');

const annotationsFile = (folder: string, kind: string, split: string) =>
  path.join(folder, 'annotations', `${kind}_${split}.json`);

/** File name → path, over images/{split}, {split}, then the folders of the other splits beside them. */
async function indexImageFiles(folder: string, split: string): Promise<Map<string, string>> {
  const index = new Map<string, string>();
  const parents = [path.join(folder, 'images'), folder];
  const folders = parents.map((parent) => path.join(parent, split));
  for (const parent of parents) {
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory() && !['images', 'annotations'].includes(entry.name))
        folders.push(path.join(parent, entry.name));
    }
  }
  for (const candidate of folders) {
    for (const name of await readdir(candidate).catch(() => [])) {
      if (!index.has(name)) index.set(name, path.join(candidate, name));
    }
  }
  return index;
}

/** Splits that have a captions file, sorted. */
export async function listSplits(folder: string): Promise<string[]> {
  const names = await readdir(path.join(folder, 'annotations')).catch(() => []);
  return names.flatMap((name) => /^captions_(.+)\.json$/.exec(name)?.[1] ?? []).sort();
}

async function requireDataset(folder: string, split: string): Promise<string> {
  const file = annotationsFile(folder, 'captions', split);
  if (await exists(file)) return file;
  if (!(await exists(folder))) throw new InputError(`--data ${folder}: no such folder.\n${cocoHelp(folder)}`);
  const splits = await listSplits(folder);
  if (splits.length === 0) {
    throw new InputError(
      `--data ${folder}: no annotations/captions_{split}.json in it.\n${cocoHelp(folder)}`,
    );
  }
  throw new InputError(
    `--data ${folder}: no annotations/captions_${split}.json; it has ${splits.join(', ')}`,
  );
}

/** Reads one split's captions and finds its image files. @throws InputError when it cannot be trained or evaluated on */
export async function readCocoSplit(folder: string, split: string): Promise<CocoSplit> {
  const file = await requireDataset(folder, split);
  const { images, annotations } = parse(captionsSchema, await readJson(file), file);
  const captions = new Map<number, string[]>();
  for (const { image_id, caption } of annotations) {
    const trimmed = caption.trim();
    if (!trimmed) continue;
    const known = captions.get(image_id);
    if (known) known.push(trimmed);
    else captions.set(image_id, [trimmed]);
  }
  const files = await indexImageFiles(folder, split);
  const kept: CocoImage[] = [];
  const uncaptioned: string[] = [];
  const missing: string[] = [];
  for (const { id: imageId, file_name } of images) {
    const own = captions.get(imageId);
    const found = files.get(path.basename(file_name));
    if (!own) uncaptioned.push(file_name);
    else if (found) kept.push({ id: imageId, file: found, captions: own });
    else missing.push(file_name);
  }
  if (missing.length > 0) {
    throw new InputError(
      `--data ${folder}: ${missing.length} of ${images.length} image files of ${split} are missing: ${list(missing)}; ` +
        `looked in images/${split}, ${split} and the folders beside them`,
    );
  }
  if (kept.length === 0) throw new InputError(`${file}: no image has a caption`);
  const warnings =
    uncaptioned.length > 0
      ? [`${uncaptioned.length} images of ${split} have no caption and are left out: ${list(uncaptioned)}`]
      : [];
  return { split, images: kept, warnings };
}

/** Reads a split's instances, or undefined when the dataset has none. */
export async function readCocoInstances(folder: string, split: string): Promise<CocoInstances | undefined> {
  const file = annotationsFile(folder, 'instances', split);
  if (!(await exists(file))) return undefined;
  const { annotations, categories } = parse(instancesSchema, await readJson(file), file);
  const objects = new Map<number, number[]>();
  for (const { image_id, category_id } of annotations) {
    const known = objects.get(image_id);
    if (known) known.push(category_id);
    else objects.set(image_id, [category_id]);
  }
  return { categories: new Map(categories.map(({ id: categoryId, name }) => [categoryId, name])), objects };
}
