/**
 * How the cosine of an image with what a label says by itself becomes log-odds: slope · cosine − offset. A checkpoint can
 * bring its own two numbers, fitted to captioned images; docs/decisions/030-background-class.md measures both ways.
 */
import { ClipError } from '../errors.js';

/** log-odds = slope · cosine − offset; the key `label_calibration` of config.json. */
export interface LabelCalibration {
  slope: number;
  offset: number;
}

/** Half of logit_scale is about the slope that logistic regression finds for the models of docs/decisions/030. */
const SLOPE_PER_LOGIT_SCALE = 0.5;
/** Log-odds against a label whose cosine over the background is 0. */
const OFFSET = 3;

/** For checkpoints without one of their own; fits models with a logit_scale around 100, and is too strict for low ones. */
export const usualCalibration = (logitScale: number): LabelCalibration => ({
  slope: SLOPE_PER_LOGIT_SCALE * logitScale,
  offset: OFFSET,
});

/** Whether a label describes an image, and their cosine over the background. */
export interface JudgedPair {
  cosine: number;
  isRight: boolean;
  /** Counts against the other pairs of its side; right and wrong pairs weigh the same in all. */
  weight: number;
}

/** Adds this fraction to the second derivatives, so that pairs that a threshold separates leave the slope finite. */
const RIDGE = 1e-6;
const MOST_STEPS = 50;

/**
 * Logistic regression of right against wrong pairs, by Newton's method on cosines of mean 0 and variance 1.
 * @throws ClipError LABELS_INVALID when one of the sides is empty
 */
export function fitCalibration(pairs: readonly JudgedPair[]): LabelCalibration {
  const total = { right: 0, wrong: 0 };
  for (const { isRight, weight } of pairs) total[isRight ? 'right' : 'wrong'] += weight;
  if (!(total.right > 0 && total.wrong > 0)) {
    throw new ClipError('LABELS_INVALID', 'a calibration needs right and wrong pairs', {
      found: `weights of ${total.right} and ${total.wrong}`,
    });
  }
  const weights = pairs.map(({ isRight, weight }) => weight / (2 * (isRight ? total.right : total.wrong)));
  const mean = pairs.reduce((sum, { cosine }, i) => sum + weights[i]! * cosine, 0);
  const variance = pairs.reduce((sum, { cosine }, i) => sum + weights[i]! * (cosine - mean) ** 2, 0);
  const deviation = Math.sqrt(variance) || 1;
  let [slope, intercept] = [0, 0];
  for (let step = 0; step < MOST_STEPS; step++) {
    let [gradientSlope, gradientIntercept] = [RIDGE * slope, 0];
    let [ss, si, ii] = [RIDGE, 0, RIDGE];
    pairs.forEach(({ cosine, isRight }, i) => {
      const x = (cosine - mean) / deviation;
      const probability = 1 / (1 + Math.exp(-(slope * x + intercept)));
      const error = weights[i]! * (probability - (isRight ? 1 : 0));
      const curvature = weights[i]! * probability * (1 - probability);
      gradientSlope += error * x;
      gradientIntercept += error;
      ss += curvature * x * x;
      si += curvature * x;
      ii += curvature;
    });
    const determinant = ss * ii - si * si;
    const deltaSlope = (ii * gradientSlope - si * gradientIntercept) / determinant;
    const deltaIntercept = (ss * gradientIntercept - si * gradientSlope) / determinant;
    slope -= deltaSlope;
    intercept -= deltaIntercept;
    if (Math.abs(deltaSlope) + Math.abs(deltaIntercept) < 1e-9) break;
  }
  return { slope: slope / deviation, offset: (slope * mean) / deviation - intercept };
}
