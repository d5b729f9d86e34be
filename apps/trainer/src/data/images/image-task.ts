/** From an image file to the pixel_values that a step sees. H × W pixels of the model's input. */
import type { ImageLocation, ImageReader } from '@clip-ts/clip/data';
import { ClipError, type ImageProcessor, type RgbImage } from '@clip-ts/clip/preprocess';
import { cropBox, tonesOf, type View } from './view.js';

export interface ImageTask {
  /** Number among all images of the pipeline. */
  image: number;
  location: ImageLocation;
  /** null: the image as the processor shows it, for validation. */
  view: View | null;
}

/** The bytes of an image file, valid until the next call. @throws ClipError that names no file */
export async function readImage(reader: ImageReader, location: ImageLocation): Promise<Uint8Array> {
  return reader.read(location).catch((cause: unknown) => {
    if (cause instanceof ClipError) throw cause;
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new ClipError('IMAGE_UNREADABLE', 'the image file cannot be read', { found, cause });
  });
}

/** What a cache keeps of a decoded image: for a view all of it, since views crop the original. */
export const kept = (decoded: RgbImage, view: View | null, processor: ImageProcessor): RgbImage =>
  view === null
    ? { data: processor.resize(decoded), width: processor.width, height: processor.height }
    : decoded;

/**
 * Writes pixel_values [3, H, W] to `out` from `offset` on.
 * @param image what is {@link kept} for this view
 */
export function writePixelValues(
  image: RgbImage,
  view: View | null,
  processor: ImageProcessor,
  out: Float32Array<ArrayBufferLike>,
  offset: number,
): void {
  if (view === null) {
    processor.normalize(image.data, out, offset);
    return;
  }
  const pixels = processor.resizeBox(image, cropBox(view, image));
  processor.normalize(pixels, out, offset, { tones: tonesOf(view), mirrored: view.mirrored });
}

/** How messages name an image: by its file, or its place in an archive. */
export const describeLocation = (location: ImageLocation): string =>
  typeof location === 'string' ? location : `${location.archive}, image at byte ${location.offset}`;
