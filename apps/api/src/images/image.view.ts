/** What a client sees of an image: its description, or that it is not there. */
import { Problem } from '../problems/problem.js';
import type { ImageRow } from './image.repository.js';
import type { ImageView } from './image.schema.js';

/** What a client sees of a row. @param basePath prefix of all paths of the service */
export function toView(row: ImageRow, basePath: string): ImageView {
  const { id, mediaType, width, height, bytes, fileName, captions, tags, revision, createdAt, takenAt } = row;
  return {
    id,
    url: `${basePath}/images/${id}/file`,
    thumbnailUrl: `${basePath}/images/${id}/thumbnail`,
    mediaType,
    width,
    height,
    bytes,
    fileName,
    caption: captions[0] ?? null,
    captions,
    tags,
    revision,
    createdAt: createdAt.toISOString(),
    takenAt: takenAt && localTime(takenAt, row.takenOffset),
  };
}

/** A local time that is stored as if it were UTC, as text, with its offset in minutes where that is known. */
function localTime(clock: Date, offset: number | null): string {
  const text = clock.toISOString().slice(0, 'YYYY-MM-DDThh:mm:ss'.length);
  if (offset === null) return text;
  const digits = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.abs(offset);
  return `${text}${offset < 0 ? '-' : '+'}${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`;
}

/** The row is there, its file is not: someone took it out of the data folder. */
export function fileGone(): Problem {
  return new Problem('image_not_found', 'The file of this image is gone from the data folder.');
}

/** The result of work on a file of the data folder; the problem above when the file is not there. */
export async function orFileGone<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw fileGone();
    throw error;
  }
}

/** No image has this id. */
export function notFound(id: string): Problem {
  return new Problem('image_not_found', `There is no image with the id ${id.slice(0, 80)}.`);
}
