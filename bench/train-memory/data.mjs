/** A dataset of noise: photos' sizes and captions' lengths without the photos. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

/** Words of most captions, and of one in a hundred each: batches come in three padded lengths. */
const WORDS = [18, 27, 36];
const VOCABULARY = 1000;

/** A number in [0, n), the same for the same key. @param {number} key @param {number} n */
function pick(key, n) {
  const mixed = Math.imul(key + 1, 2654435761);
  return (Math.imul(mixed ^ (mixed >>> 15), 2246822519) >>> 8) % n;
}

/** @param {number} key @param {number} words */
const caption = (key, words) =>
  Array.from({ length: words }, (_, i) => `word${pick(key * 97 + i, VOCABULARY)}`).join(' ');

/**
 * Writes a COCO folder with the splits train2017 and val2017.
 * @param {string} folder @param {number} training @param {number} validation images @param {number} side pixels
 */
export async function writeNoise(folder, training, validation, side) {
  await mkdir(join(folder, 'annotations'), { recursive: true });
  for (const [split, count] of /** @type {const} */ ([
    ['train2017', training],
    ['val2017', validation],
  ])) {
    await mkdir(join(folder, split));
    const images = [];
    const annotations = [];
    for (let i = 0; i < count; i++) {
      const id = split === 'val2017' ? training + i : i;
      const file_name = `${id}.jpg`;
      const raw = Buffer.from(Array.from({ length: 8 * 8 * 3 }, (_, i) => pick(id * 211 + i, 256)));
      await sharp(raw, { raw: { width: 8, height: 8, channels: 3 } })
        .resize(side, side)
        .jpeg()
        .toFile(join(folder, split, file_name));
      images.push({ id, file_name });
      const words = WORDS[[1, 2][pick(id, 100)] ?? 0] ?? 0;
      annotations.push({ id, image_id: id, caption: caption(id, words) });
    }
    const file = join(folder, 'annotations', `captions_${split}.json`);
    await writeFile(file, JSON.stringify({ images, annotations }));
  }
}
