/**
 * Which images and captions a step sees, as a pure function of (seed, epoch, step): each epoch is a new permutation of
 * the images, and each image shows one of its captions at random. So "position in the data" is two counters.
 */
import { createRandom, hashKeys, permutation } from '../random.js';

/** Keys of separate random streams of one seed. */
const ORDER = 1;
const CAPTION = 2;
const VIEW = 4;

/** Whole batches of `pairs` in an epoch over `images`; what is left of the permutation is not used. */
export const stepsPerEpoch = (images: number, pairs: number): number => Math.floor(images / pairs);

/** The order of the images in an epoch (counted from 0): [images] indices. */
export const epochOrder = (seed: number, images: number, epoch: number): Int32Array =>
  permutation(images, createRandom(seed, ORDER, epoch));

/** Image indices of one batch of an epoch's order. */
export const batchOf = (order: Int32Array, pairs: number, step: number): Int32Array =>
  order.subarray(step * pairs, (step + 1) * pairs);

/** Which of an image's captions the epoch shows. */
export const captionChoice = (seed: number, epoch: number, image: number, captions: number): number =>
  hashKeys(seed, CAPTION, epoch, image) % captions;

/** Which of an image's kept views the epoch shows. */
export const viewChoice = (seed: number, epoch: number, image: number, views: number): number =>
  hashKeys(seed, VIEW, epoch, image) % views;
