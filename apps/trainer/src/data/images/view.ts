/**
 * How an image is shown in training: a random crop of it, mirrored or not, brighter or darker, with more or less
 * contrast. A view is drawn before the image is decoded, in fractions of its size, so that it depends on nothing but
 * its random numbers.
 */
import type { Window } from '@clip-ts/clip/preprocess';
import type { Augmentation } from '../../config/training-config.js';
import type { Random } from '../../random.js';

interface Strength {
  /** Of the crop, as a fraction of the image. */
  smallestArea: number;
  /** Largest factor on the crop's width over its height. */
  aspect: number;
  brightness: number;
  contrast: number;
  /** Fraction of the images that are mirrored. */
  mirrored: number;
}

const STRENGTHS: Record<Exclude<Augmentation, 'none'>, Strength> = {
  mild: { smallestArea: 0.8, aspect: 1.1, brightness: 0.12, contrast: 0.12, mirrored: 0 },
  photo: { smallestArea: 0.5, aspect: 1.25, brightness: 0.2, contrast: 0.2, mirrored: 0.5 },
};

export interface View {
  /** Width, height, left and top of the crop as fractions: of the image, and of the room that the crop leaves. */
  crop: { width: number; height: number; left: number; top: number };
  mirrored: boolean;
  /** A value p of 0 to 255 becomes `p · contrast + shift`. */
  contrast: number;
  shift: number;
}

export function drawView(random: Random, kind: Exclude<Augmentation, 'none'>): View {
  const strength = STRENGTHS[kind];
  const area = random.between(strength.smallestArea, 1);
  const stretch = Math.log(strength.aspect);
  const aspect = Math.exp(random.between(-stretch, stretch));
  const crop = {
    width: Math.min(1, Math.sqrt(area * aspect)),
    height: Math.min(1, Math.sqrt(area / aspect)),
    top: random.uniform(),
    left: random.uniform(),
  };
  const contrast = 1 + random.between(-strength.contrast, strength.contrast);
  const shift = 255 * random.between(-strength.brightness, strength.brightness) + 127.5 * (1 - contrast);
  return { crop, contrast, shift, mirrored: random.uniform() < strength.mirrored };
}

/** The crop of a view in whole pixels of an image; at least one pixel. */
export function cropBox({ crop }: View, image: { width: number; height: number }): Window {
  const width = Math.max(1, Math.round(crop.width * image.width));
  const height = Math.max(1, Math.round(crop.height * image.height));
  return {
    left: Math.round(crop.left * (image.width - width)),
    top: Math.round(crop.top * (image.height - height)),
    width,
    height,
  };
}

/** [256] What each value of a channel becomes. */
export const tonesOf = ({ contrast, shift }: View): Uint8ClampedArray =>
  Uint8ClampedArray.from({ length: 256 }, (_, value) => value * contrast + shift);
