import { describe, expect, it } from 'vitest';
import { duration, trainingLine } from './lines.js';
import { createProgressPrinter, createSpeedometer } from './progress.js';

describe('progress', () => {
  it('shows stage, step, loss against chance, speed and time left', () => {
    const line = trainingLine({
      stage: 'stage 2/2 (everything)',
      epoch: 1,
      epochs: 4,
      step: 3,
      steps: 40,
      loss: 1.5,
      chance: Math.log(128),
      imagesPerSecond: 321.4,
      waiting: 0.034,
      secondsLeft: 75,
    });
    expect(line).toBe(
      'stage 2/2 (everything)  epoch 1/4  step 3/40  loss 1.500 (chance 4.852)  321 images/s  3 % waiting for data  1:15 left',
    );
  });

  it('writes times as people do', () => {
    expect([0, 59.6, 3700].map(duration)).toEqual(['0:00', '1:00', '1:01:40']);
  });

  it('prints a line every few seconds where there is no terminal, and always when forced', () => {
    const written: string[] = [];
    let now = 0;
    const stream = {
      isTTY: false,
      write: (text: string) => written.push(text),
    } as unknown as NodeJS.WriteStream;
    const printer = createProgressPrinter(stream, () => now);
    for (const line of ['a', 'b', 'c']) {
      printer.update(line);
      now += 3;
    }
    printer.update('d', true);
    printer.log('e');
    expect(written).toEqual(['c\n', 'd\n', 'e\n']);
  });

  it('takes speed over the last steps', () => {
    const speed = createSpeedometer(2);
    expect(speed(100, 10)).toBe(10);
    expect(speed(100, 1)).toBeCloseTo(200 / 11);
    expect(speed(100, 1)).toBe(100);
  });
});
