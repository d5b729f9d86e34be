/**
 * Reads what an import is to bring in: the images of a folder, or of a COCO dataset with captions and
 * category names (https://cocodataset.org/#format-data). COCO folders differ in where the images lie,
 * so they are found by name anywhere below the folder, a folder with the split's name first.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { Problem } from '../problems/problem.js';
import { cleanText } from '../text/clean-text.js';

/** One image to import. */
export interface SourceImage {
  path: string;
  captions: string[];
  tags: string[];
}

const IMAGE_NAME = /\.(jpe?g|png|webp|gif)$/i;
const ANNOTATIONS = /^(?:captions|instances)_(.+)\.json$/;

const cocoSchema = z.object({
  images: z.array(z.object({ id: z.union([z.number(), z.string()]), file_name: z.string().min(1) })),
  annotations: z
    .array(
      z.object({
        image_id: z.union([z.number(), z.string()]),
        caption: z.string().optional(),
        category_id: z.number().optional(),
      }),
    )
    .default([]),
  categories: z.array(z.object({ id: z.number(), name: z.string() })).default([]),
});
type Coco = z.infer<typeof cocoSchema>;

/**
 * The images at `path` (a folder, or a COCO annotation file), always in the same order.
 * Throws `import_unreadable` when there is nothing to import or an annotation file is not COCO.
 */
export async function readSource(
  path: string,
  options: { format: 'auto' | 'coco' | 'folder'; split?: string; limit?: number },
): Promise<SourceImage[]> {
  const images = await readImages(path, options);
  if (images.length === 0) throw unreadable(`There are no images in ${path}.`);
  return images.sort((a, b) => (a.path < b.path ? -1 : 1)).slice(0, options.limit);
}

async function readImages(
  path: string,
  { format, split }: { format: 'auto' | 'coco' | 'folder'; split?: string },
): Promise<SourceImage[]> {
  if (!(await stat(path)).isDirectory()) {
    if (format === 'folder' || !path.endsWith('.json')) throw unreadable(`${path} is not a folder.`);
    const above = dirname(path);
    return readCoco(basename(above) === 'annotations' ? dirname(above) : above, [path]);
  }
  const files = format === 'folder' ? [] : await annotationFiles(path, split);
  if (files.length > 0) return readCoco(path, files);
  if (format === 'coco' || split !== undefined) {
    const name = split ?? '*';
    throw unreadable(`There is no annotations/captions_${name}.json or instances_${name}.json in ${path}.`);
  }
  return (await walk(path)).map((file) => ({ path: file, captions: [], tags: [] }));
}

async function annotationFiles(folder: string, split: string | undefined): Promise<string[]> {
  const names = await readdir(join(folder, 'annotations')).catch(() => []);
  return names
    .filter((name) => {
      const found = ANNOTATIONS.exec(name)?.[1];
      return found !== undefined && (split === undefined || found === split);
    })
    .sort()
    .map((name) => join(folder, 'annotations', name));
}

async function readCoco(folder: string, files: readonly string[]): Promise<SourceImage[]> {
  const locate = locator(await walk(folder));
  const images = new Map<string, SourceImage>();
  for (const file of files) {
    const split = ANNOTATIONS.exec(basename(file))?.[1] ?? '';
    const coco = await readCocoFile(file);
    const byId = new Map<string | number, SourceImage>();
    for (const { id, file_name } of coco.images) {
      const path = locate(file_name, split) ?? join(folder, 'images', split, basename(file_name));
      const image = images.get(path) ?? { path, captions: [], tags: [] };
      images.set(path, image);
      byId.set(id, image);
    }
    annotate(byId, coco);
  }
  return [...images.values()];
}

function annotate(byId: ReadonlyMap<string | number, SourceImage>, { annotations, categories }: Coco): void {
  const names = new Map(categories.map(({ id, name }) => [id, cleanText(name)]));
  for (const { image_id, caption, category_id } of annotations) {
    const image = byId.get(image_id);
    if (image === undefined) continue;
    const text = cleanText(caption ?? '').trim();
    if (text && !image.captions.includes(text)) image.captions.push(text);
    const name = category_id === undefined ? undefined : names.get(category_id);
    if (name !== undefined && !image.tags.includes(name)) image.tags.push(name);
  }
}

async function readCocoFile(path: string): Promise<Coco> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw unreadable(`${path} is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
  const parsed = cocoSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unreadable(`${path} is not a COCO file: ${issue?.path.join('.')}: ${issue?.message}.`);
}

/** Finds a file by its name; among several of that name, one in a folder called `split`. */
function locator(paths: readonly string[]): (fileName: string, split: string) => string | undefined {
  const byName = new Map<string, string[]>();
  for (const path of paths) {
    const name = basename(path);
    const same = byName.get(name);
    if (same === undefined) byName.set(name, [path]);
    else same.push(path);
  }
  return (fileName, split) => {
    const candidates = byName.get(basename(fileName)) ?? [];
    return candidates.find((path) => basename(dirname(path)) === split) ?? candidates[0];
  };
}

/** All image files below a folder. Links are not followed. */
async function walk(folder: string): Promise<string[]> {
  const found: string[] = [];
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of await readdir(next, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const path = join(next, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile() && IMAGE_NAME.test(entry.name)) found.push(path);
    }
  }
  return found;
}

function unreadable(detail: string): Problem {
  return new Problem('import_unreadable', detail);
}
