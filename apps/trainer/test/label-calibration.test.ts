/** A model trained on captions with common nouns knows how likely a label describes an image. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ClipEncoder, labelPrompts, rankLabels, REFERENCE_LABELS, textCenter } from '@clip-ts/clip';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { configFlags, temporaryFolder, trainer } from './cli.js';

const COLOURS = { dog: '#a52', bird: '#2a5', boat: '#25a', ball: '#ee3', snow: '#fff', bus: '#111' };
const TEMPLATE = 'a photo of a {}';

it(
  'the curve is fitted to the validation captions and written into the checkpoint',
  { timeout: 240_000 },
  async () => {
    const { folder, remove } = await temporaryFolder();
    try {
      const picture = (noun: string, split: string, n: number) =>
        path.join(folder, 'data', split, noun, `${noun}${n}.png`);
      const nouns = Object.keys(COLOURS) as (keyof typeof COLOURS)[];
      for (const noun of nouns) {
        for (const [split, count] of [
          ['train', 12],
          ['val', 4],
        ] as const) {
          await mkdir(path.dirname(picture(noun, split, 0)), { recursive: true });
          for (let n = 0; n < count; n++)
            await sharp({ create: { width: 32, height: 20 + n, channels: 3, background: COLOURS[noun] } })
              .png()
              .toFile(picture(noun, split, n));
        }
      }
      const flags = await configFlags(folder, {
        heads: { epochs: 0 },
        everything: { epochs: 20, learning_rate: 5e-3 },
      });
      const output = path.join(folder, 'run');
      const finished = await trainer(
        'pretrain',
        '--data',
        path.join(folder, 'data'),
        '--output',
        output,
        ...flags,
      );
      expect([finished.code, finished.stderr]).toEqual([0, '']);

      const encoder = await ClipEncoder.load(path.join(output, 'checkpoint'));
      const { labelCalibration: calibration, logitScale } = encoder;
      expect(calibration?.slope).toBeGreaterThan(0);
      const center = textCenter(await encoder.encodeTexts(labelPrompts(REFERENCE_LABELS, TEMPLATE)));
      const texts = await encoder.encodeTexts(labelPrompts(nouns, TEMPLATE));
      const images = await encoder.encodeImages(nouns.map((noun) => picture(noun, 'val', 0)));
      /** How many right and wrong labels get a probability above a half. */
      const accepted = () => {
        const counts = { right: 0, wrong: 0 };
        for (const [i, image] of images.entries()) {
          for (const [n, text] of texts.entries()) {
            const options = { logitScale, center, calibration, multiLabel: true };
            const [judged] = rankLabels(image, [text], [nouns[n]!], options);
            if (judged!.score > 0.5) counts[i === n ? 'right' : 'wrong']++;
          }
        }
        return counts;
      };
      await encoder.dispose();
      const { right, wrong } = accepted();
      expect(right).toBeGreaterThanOrEqual(5); // of 6
      expect(wrong).toBeLessThanOrEqual(20); // of 30
    } finally {
      await remove();
    }
  },
);
