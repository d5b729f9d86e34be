/** The images of splits as a model takes them, made by one pipeline for all of them. H × W pixels. */
import type { DatasetImage } from '@clip-ts/clip/data';
import type { HostTensor } from '@clip-ts/clip/model';
import { PROCESSOR_FILE } from '../../model/image-processor.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import { ImagePipeline } from './image-pipeline.js';
import type { View } from './view.js';

export interface PixelSource {
  /** Number of images N. */
  count: number;
  height: number;
  width: number;
  /**
   * Starts on pixel_values [B, 3, H, W] of some images at once.
   * @param keep whether they will be wanted again, and may be kept in memory
   * @throws ClipError naming an image that cannot be shown
   */
  pixelValues(shown: readonly ShownImage[], keep: boolean): Promise<HostTensor>;
  /** Takes back what {@link pixelValues} gave, for later batches. */
  release(pixelValues: HostTensor): void;
}

interface ShownImage {
  /** From 0 to N − 1. */
  image: number;
  /** null: as the processor shows it. */
  view: View | null;
}

export interface PixelSourceOptions {
  images: readonly DatasetImage[];
  /** Threads that work on a batch of these images. */
  threads: number;
  /** File in which resized images are kept, made by openResizedFiles. */
  resizedFile?: string | undefined;
}

export interface PixelSources {
  /** In the order of the splits. */
  sources: PixelSource[];
  /** How many bytes of decoded images, of all splits together, may be kept in memory from now on: none before. */
  keepImages(bytes: number): void;
  /** Ends the threads that decode images. */
  close(): Promise<void>;
}

/** Bytes of pixel_values that may be waiting for their use. */
const PREFETCH_BYTES = 128 * 1024 * 1024;
const MAX_AHEAD = 4;

/** One source for each split. @param onWarning gets a line when the disk takes no more images */
export function openPixelSources(
  splits: readonly PixelSourceOptions[],
  { assets, processor }: Pick<AssembledModel, 'assets' | 'processor'>,
  onWarning?: (line: string) => void,
): PixelSources {
  const { height, width } = processor;
  const firsts = splits.map((_, n) => imageCount(splits.slice(0, n)));
  const pipeline = new ImagePipeline({
    images: imageCount(splits),
    processorConfig: JSON.parse(Buffer.from(assets[PROCESSOR_FILE]!).toString()) as unknown,
    height,
    width,
    threads: Math.max(...splits.map(({ threads }) => threads)),
    resized: splits.flatMap(({ images, resizedFile: file }, n) =>
      file === undefined ? [] : [{ file, first: firsts[n]!, count: images.length }],
    ),
    ...(onWarning && { onWarning }),
  });
  const sources = splits.map(({ images, threads }, n) => {
    const first = firsts[n]!;
    return {
      count: images.length,
      height,
      width,
      pixelValues: (shown: readonly ShownImage[], keep: boolean) =>
        pipeline.pixelValues(
          shown.map(({ image, view }) => ({
            image: first + image,
            location: images[image]!.location,
            view,
          })),
          { threads, keep },
        ),
      release: (pixelValues: HostTensor) => {
        pipeline.release(pixelValues);
      },
    };
  });
  return {
    sources,
    keepImages: (bytes) => {
      pipeline.keepImages(bytes);
    },
    close: () => pipeline.close(),
  };
}

const imageCount = (splits: readonly PixelSourceOptions[]): number =>
  splits.reduce((sum, { images }) => sum + images.length, 0);

/** How many batches of `images` images to prepare ahead of the one in use: few when they are large. */
export const batchesAhead = ({ height, width }: PixelSource, images: number): number =>
  Math.min(MAX_AHEAD, Math.max(1, Math.floor(PREFETCH_BYTES / (images * height * width * 12))));
