/**
 * One line on the progress of training: rewritten in place on a terminal, printed every few seconds elsewhere. All times
 * are in seconds.
 */
import type { ValidationRecord } from './metrics-log.js';

const LINE_SECONDS = 5;
const TERMINAL_SECONDS = 0.2;

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

export interface ProgressPrinter {
  /** Shows the line now if enough time has passed since the last, or when `force` is set. */
  update: (line: string, force?: boolean) => void;
  /** Prints a line that stays. */
  log: (line: string) => void;
}

export function createProgressPrinter(
  stream: NodeJS.WriteStream = process.stdout,
  now: () => number = () => performance.now() / 1000,
): ProgressPrinter {
  let last = stream.isTTY ? -Infinity : now();
  let open = false;
  const close = () => {
    if (open) stream.write('\n');
    open = false;
  };
  return {
    update(line, force = false) {
      if (!force && now() - last < (stream.isTTY ? TERMINAL_SECONDS : LINE_SECONDS)) return;
      last = now();
      if (stream.isTTY) {
        const columns = Math.max(20, stream.columns ?? 80);
        stream.write(`\r\x1b[2K${line.slice(0, columns - 1)}`);
        open = true;
      } else {
        stream.write(`${line}\n`);
      }
    },
    log(line) {
      close();
      stream.write(`${line}\n`);
    },
  };
}

/** An amount (of images, of time) per second, averaged over the last steps. */
export function createSpeedometer(window = 20): (amount: number, seconds: number) => number {
  const recent: [amount: number, seconds: number][] = [];
  return (amount, seconds) => {
    recent.push([amount, seconds]);
    if (recent.length > window) recent.shift();
    const [sum, time] = recent.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    return sum / time;
  };
}
