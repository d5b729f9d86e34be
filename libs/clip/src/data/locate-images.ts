/** The files of annotated images, for every format that names them. */
import { join } from 'node:path';
import type { FileIndex } from './file-index.js';
import { shown } from './names.js';
import type { DatasetImage, DatasetProblem } from './types.js';

/** An image as an annotation names it. */
export interface AnnotatedImage {
  /** As the annotation spells it. */
  fileName: string;
  captions: string[];
  tags: string[];
}

/**
 * Finds each image's file; several entries that refer to one file by its path become one image. A file that is found by
 * its bare name alone counts only when a single entry refers to it.
 * @param prefixes folders below the dataset's in which names are looked up, in this order
 */
export function locateImages(
  folder: string,
  annotated: readonly AnnotatedImage[],
  index: FileIndex,
  prefixes: readonly string[],
): { images: DatasetImage[]; problems: DatasetProblem[] } {
  const located = annotated.map((image) => ({ image, found: index.locate(image.fileName, prefixes) }));
  const claims = new Map<string, number>();
  for (const { found } of located) {
    if ('file' in found) claims.set(found.file, (claims.get(found.file) ?? 0) + 1);
  }
  const problems: DatasetProblem[] = [];
  const byFile = new Map<string, DatasetImage>();
  for (const { image, found } of located) {
    const name = shown(image.fileName);
    if ('problem' in found) problems.push({ code: found.problem, name, detail: found.detail });
    else if (found.by === 'name' && claims.get(found.file)! > 1) {
      const detail = `the only file of that name is ${found.file}, to which another entry refers as well`;
      problems.push({ code: 'image_missing', name, detail });
    } else {
      const { file } = found;
      const known = byFile.get(file) ?? { name: file, location: join(folder, file), captions: [], tags: [] };
      byFile.set(file, known);
      known.captions.push(...image.captions);
      known.tags = [...new Set([...known.tags, ...image.tags])];
    }
  }
  const images = [...byFile.values()];
  const uncaptioned = images.filter(({ captions }) => captions.length === 0);
  const missing = uncaptioned.map(({ name }) => ({
    code: 'caption_missing' as const,
    name,
    detail: 'no caption belongs to it',
  }));
  return { images, problems: [...missing, ...problems] };
}
