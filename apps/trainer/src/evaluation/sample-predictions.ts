/** Looks up a few validation captions among the validation images, for the report. */
import { readImageBytes, type DatasetImage, type ImageLocation } from '@clip-ts/clip/data';
import type { EmbeddingProgram } from '@clip-ts/clip/train';
import sharp from 'sharp';
import type { FixedRunner } from '../backend/open-backend.js';
import type { PairSource } from '../data/pair-source.js';
import type { SamplePrediction } from '../logging/report.js';
import { embedCaptions, embedImages } from './embed.js';
import { dot } from './retrieval.js';

const CAPTIONS = 8;
const RESULTS = 6;

const THUMBNAIL = 128;

async function thumbnailUri(location: ImageLocation): Promise<string> {
  const options = { fit: 'inside', withoutEnlargement: true } as const;
  const jpeg = await sharp(await readImageBytes(location))
    .rotate()
    .resize(THUMBNAIL, THUMBNAIL, options)
    .jpeg({ quality: 85 })
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}

export async function samplePredictions(
  runner: FixedRunner<EmbeddingProgram>,
  source: PairSource,
  images: readonly DatasetImage[],
  batchSize: number,
): Promise<SamplePrediction[]> {
  const count = Math.min(CAPTIONS, images.length);
  const owners = Array.from({ length: count }, (_, i) => Math.floor((i * images.length) / count));
  const captions = owners.map((image) => source.captions.first[image]!);
  const imageEmbeds = await embedImages(runner, source, batchSize, false);
  const textEmbeds = await embedCaptions(runner, source.captions, captions, batchSize);
  return Promise.all(
    owners.map(async (owner, i) => {
      const scored = imageEmbeds.map((embed, image) => ({ image, score: dot(textEmbeds[i]!, embed) }));
      scored.sort((a, b) => b.score - a.score);
      const results = scored.slice(0, RESULTS).map(async ({ image, score }) => ({
        picture: await thumbnailUri(images[image]!.location),
        score,
        right: image === owner,
      }));
      return { caption: images[owner]!.captions[0]!, results: await Promise.all(results) };
    }),
  );
}
