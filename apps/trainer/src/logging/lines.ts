/** What the terminal shows of training, as text. All times are in seconds. */
import type { ValidationRecord } from './metrics-log.js';

export interface TrainingProgress {
  stage: string;
  epoch: number;
  epochs: number;
  /** Updates done in this stage, and their planned number. */
  step: number;
  steps: number;
  loss: number;
  /** Loss of a model that knows nothing: ln of the pairs in the contrastive batch. */
  chance: number;
  imagesPerSecond: number;
  /** Fraction of the time in which steps waited for their data. */
  waiting: number;
  secondsLeft: number;
}

/** 75 → "1:15", 3700 → "1:01:40" */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

export function trainingLine(p: TrainingProgress): string {
  return (
    `${p.stage}  epoch ${p.epoch}/${p.epochs}  step ${p.step}/${p.steps}  ` +
    `loss ${p.loss.toFixed(3)} (chance ${p.chance.toFixed(3)})  ` +
    `${p.imagesPerSecond.toFixed(0)} images/s  ${(100 * p.waiting).toFixed(0)} % waiting for data  ${duration(p.secondsLeft)} left`
  );
}

export function validationLine(v: ValidationRecord, stages: number): string {
  return (
    `stage ${v.stage}/${stages}  epoch ${v.epoch}  validation loss ${v.loss.toFixed(3)} ` +
    `(chance ${v.chance.toFixed(3)})  text→image R@10 ${v.text_to_image_r10.toFixed(3)}  ` +
    `image→text R@10 ${v.image_to_text_r10.toFixed(3)}${v.best ? '  best so far' : ''}`
  );
}
