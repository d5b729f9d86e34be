/** Looks up a few validation captions among the validation images, for the report. */
import { readImageBytes, type DatasetImage, type ImageLocation } from '@clip-ts/clip/data';
import sharp from 'sharp';
import type { SamplePrediction } from '../logging/report.js';
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

/**
 * @param imageEmbeds [N, E] of the images
 * @param embedTexts gives the text_embeds of texts
 */
export async function samplePredictions(
  images: readonly DatasetImage[],
  imageEmbeds: readonly Float32Array[],
  embedTexts: (texts: readonly string[]) => Promise<Float32Array[]>,
): Promise<SamplePrediction[]> {
  const count = Math.min(CAPTIONS, images.length);
  const owners = Array.from({ length: count }, (_, i) => Math.floor((i * images.length) / count));
  const captions = owners.map((image) => images[image]!.captions[0]!);
  const textEmbeds = await embedTexts(captions);
  // One after the other: all at once they would take a thread of libvips for each of libuv's, however few cores there are.
  const pictures = new Map<number, string>();
  const predictions: SamplePrediction[] = [];
  for (const [i, owner] of owners.entries()) {
    const scored = imageEmbeds.map((embed, image) => ({ image, score: dot(textEmbeds[i]!, embed) }));
    scored.sort((a, b) => b.score - a.score);
    const results: SamplePrediction['results'][number][] = [];
    for (const { image, score } of scored.slice(0, RESULTS)) {
      const picture = pictures.get(image) ?? (await thumbnailUri(images[image]!.location));
      pictures.set(image, picture);
      results.push({ picture, score, right: image === owner });
    }
    predictions.push({ caption: captions[i]!, results });
  }
  return predictions;
}
