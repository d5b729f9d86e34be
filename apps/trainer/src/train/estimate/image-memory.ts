/** How much of the free memory decoded images may take beside the stages of a run. */
import type { Stage } from '../../config/run-settings.js';
import { usesFeatures } from '../work/open-stage-work.js';

/** A split's images: N of them, resized to H × W pixels. */
interface SplitImages {
  count: number;
  height: number;
  width: number;
}

/**
 * Bytes of the images that some stages would keep. Infinity where they are originals, whose sizes nobody knows before they
 * are decoded; 0 where all stages take features of towers, which show each image once.
 */
export function imagesToKeep(
  stages: readonly Stage[],
  training: SplitImages,
  validation: SplitImages,
): number {
  const shown = stages.filter((stage) => !usesFeatures(stage));
  if (shown.length === 0) return 0;
  if (shown.some(({ config }) => config.augmentation !== 'none')) return Infinity;
  return resizedBytes(training) + resizedBytes(validation);
}

const resizedBytes = ({ count, height, width }: SplitImages): number => count * 3 * height * width;

export interface ImageRoomOptions {
  /** Bytes that the user allows. */
  allowed: number;
  /** Bytes of all images that would be kept. */
  wanted: number;
  /** Bytes that the machine has left. */
  free: number;
  /** Bytes of them that the costliest stage takes; undefined where the backend gives no estimate. */
  needed: number | undefined;
}

/** Of the free memory, left for what estimates miss and for other programs. */
const RESERVE = 0.1;
/** Of the free memory, for images where nobody knows what the steps take. */
const WITHOUT_ESTIMATE = 0.5;

/** Bytes of decoded images that may be kept. */
export function imageRoom({ allowed, wanted, free, needed }: ImageRoomOptions): number {
  const left = needed === undefined ? WITHOUT_ESTIMATE * free : (1 - RESERVE) * free - needed;
  return Math.floor(Math.max(0, Math.min(allowed, wanted, left)));
}

/** A line of the plan; none where nothing would be kept. */
export function describeImageRoom(options: ImageRoomOptions): string | undefined {
  const { allowed, wanted } = options;
  const asked = Math.min(allowed, wanted);
  if (asked === 0) return undefined;
  const room = imageRoom(options);
  const kept = `decoded images take up to ${size(room)} more`;
  if (room >= asked) return kept;
  return (
    `${kept}, which is what training leaves of the free memory (--image-memory allows ${size(allowed)}); ` +
    'others are decoded whenever they are shown'
  );
}

const size = (bytes: number) =>
  bytes < 1e8 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
