/**
 * Which images and captions a step sees, as a pure function of (seed, epoch, step): each epoch is a fresh permutation of
 * the images, each image shows one of its captions at random. So "position in the data" is two counters.
 */
import { createRandom, hashKeys, permutation } from '../random.js';

/** Separate streams of one seed. */
const ORDER = 1;
const CAPTION = 2;

export interface SamplerOptions {
  seed: number;
  /** Images N. */
  images: number;
  /** Pairs in a contrastive batch; at most N. */
  batch: number;
}

/** Whole batches in an epoch; the rest of the permutation is left for another epoch. */
export const stepsPerEpoch = ({ images, batch }: Omit<SamplerOptions, 'seed'>): number => Math.floor(images / batch);

/** The order of the images in an epoch (from 0): [N] indices. */
export const epochOrder = ({ seed, images }: Omit<SamplerOptions, 'batch'>, epoch: number): Int32Array =>
  permutation(images, createRandom(seed, ORDER, epoch));

/** Image indices of one batch of an epoch's order. */
export const batchOf = (order: Int32Array, batch: number, step: number): Int32Array =>
  order.subarray(step * batch, (step + 1) * batch);

/** Which of an image's captions the epoch shows. */
export const captionChoice = (seed: number, epoch: number, image: number, captions: number): number =>
  hashKeys(seed, CAPTION, epoch, image) % captions;
