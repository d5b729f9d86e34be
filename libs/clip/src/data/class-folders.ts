/**
 * Image files without annotations: one sub-folder per class, with or without a folder per split above them; or just
 * images.
 */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { IMAGE_FORMATS } from '../preprocess/image-format.js';
import { byCodeUnits, imageFiles } from './file-index.js';
import { cleanText, imageKind } from './names.js';
import {
  ONLY_SPLIT,
  type Dataset,
  type DatasetImage,
  type DatasetOptions,
  type DatasetProblem,
} from './types.js';

/** Names of folders that are splits, not classes. */
const SPLIT_NAME = /^(?:train|training|val|valid|validation|dev|test|testing)(?:[-_]?\d{4})?$/i;
/** The caption of a class when no template is given; `{}` stands for its name. */
const DEFAULT_TEMPLATES = ['a photo of a {}.'] as const;

/** The images of a folder: by class where they lie in sub-folders, without captions where they do not. */
export async function openImageFolder(
  folder: string,
  { templates = DEFAULT_TEMPLATES, links = 'inside', formats = IMAGE_FORMATS }: DatasetOptions = {},
): Promise<Dataset> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders: string[] = [];
  for (const entry of entries) {
    const isFolder = entry.isDirectory() || (links === 'anywhere' && (await isLinkToFolder(folder, entry)));
    if (isFolder && !entry.name.startsWith('.')) folders.push(entry.name);
  }
  // Images beside such folders belong to none of the splits.
  const isSplit = !entries.some((entry) => entry.isFile() && imageKind(entry.name, formats) === 'taken');
  const splits =
    isSplit && folders.length > 0 && folders.every((name) => SPLIT_NAME.test(name))
      ? folders.sort(byCodeUnits)
      : undefined;
  const roots = new Map(
    (splits ?? [ONLY_SPLIT]).map((split) => [split, splits ? join(folder, split) : folder]),
  );
  const images = new Map<string, DatasetImage[]>();
  const problems = new Map<string, DatasetProblem[]>();
  for (const [split, root] of roots) {
    const { files, problems: found } = await imageFiles(root, { links, formats });
    problems.set(
      split,
      found.map((problem) => (splits ? { ...problem, name: `${split}/${problem.name}` } : problem)),
    );
    images.set(
      split,
      files.map((file) => ({
        name: splits ? `${split}/${file}` : file,
        location: join(root, file),
        ...describe(file, templates),
      })),
    );
  }
  const classes = [...new Set([...images.values()].flat().flatMap(({ tags }) => tags))].sort(byCodeUnits);
  return {
    format: classes.length > 0 ? 'class-folders' : 'images',
    splits: [...roots.keys()],
    read: async (split) => {
      const found = images.get(split) ?? [];
      const uncaptioned = found
        .filter(({ captions }) => captions.length === 0)
        .map(({ name }) => ({
          code: 'caption_missing' as const,
          name,
          detail: 'it lies in no class folder',
        }));
      return { split, images: found, classes, problems: [...uncaptioned, ...(problems.get(split) ?? [])] };
    },
  };
}

/** The class of an image is the folder right above it, written as words. */
function describe(file: string, templates: readonly string[]): { captions: string[]; tags: string[] } {
  const folders = file.split('/').slice(0, -1);
  const name = cleanText(folders.at(-1)?.replace(/[_-]+/g, ' '));
  if (name === undefined) return { captions: [], tags: [] };
  return { captions: templates.map((template) => template.replaceAll('{}', name)), tags: [name] };
}

const isLinkToFolder = async (folder: string, entry: Dirent): Promise<boolean> =>
  entry.isSymbolicLink() &&
  (await stat(join(folder, entry.name)).then(
    (status) => status.isDirectory(),
    () => false,
  ));
