/** A batch as a picture: each image as training sees it, above its caption as its tokens say it. */
import path from 'node:path';
import { makeFolder } from '@clip-ts/clip/files';
import sharp, { type OverlayOptions } from 'sharp';
import type { HostTensor } from '@clip-ts/clip/model';
import type { PairBatch } from '../../data/batches.js';
import type { AssembledModel } from '../../model/assembled-model.js';

type Model = Pick<AssembledModel, 'processor' | 'tokenizer'>;

const COLUMNS = 6;
/** Pixels. */
const CELL = { width: 192, image: 176, text: 64, margin: 8 };
const LINE = { letters: 32, lines: 4, height: 15 };

/** Writes `<folder>/first-batch.png`. @returns its path */
export async function writeContactSheet(folder: string, batch: PairBatch, model: Model): Promise<string> {
  const B = batch.pixel_values.shape[0]!;
  const cellHeight = CELL.image + CELL.text + CELL.margin;
  const parts: OverlayOptions[] = [];
  for (let b = 0; b < B; b++) {
    const left = (b % COLUMNS) * CELL.width + CELL.margin;
    const top = Math.floor(b / COLUMNS) * cellHeight + CELL.margin;
    parts.push({ input: await thumbnail(batch.pixel_values, b, model), left, top });
    parts.push({ input: captionImage(captionOf(batch, b, model)), left, top: top + CELL.image });
  }
  const height = Math.ceil(B / COLUMNS) * cellHeight + CELL.margin;
  const width = COLUMNS * CELL.width + CELL.margin;
  const file = path.join(folder, 'first-batch.png');
  await makeFolder(folder);
  await sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite(parts)
    .removeAlpha()
    .png()
    .toFile(file);
  return file;
}

/** Row b of pixel_values [B, 3, H, W] as a PNG, normalisation undone. */
async function thumbnail({ data, shape }: HostTensor, b: number, { processor }: Model): Promise<Buffer> {
  const [, , H, W] = shape as [number, number, number, number];
  const plane = H * W;
  const black = processor.normalize(new Uint8Array(3 * plane));
  const white = processor.normalize(new Uint8Array(3 * plane).fill(255));
  const pixels = new Uint8ClampedArray(3 * plane);
  for (let c = 0; c < 3; c++) {
    const low = black[c * plane]!;
    const range = white[c * plane]! - low;
    for (let i = 0; i < plane; i++) {
      pixels[3 * i + c] = (255 * (Number(data[(3 * b + c) * plane + i]) - low)) / range;
    }
  }
  const image = sharp(pixels, { raw: { width: W, height: H, channels: 3 } });
  return image.resize(CELL.image, CELL.image, { fit: 'contain', background: 'white' }).png().toBuffer();
}

/** The caption of row b, from its tokens. */
function captionOf({ input_ids, attention_mask }: PairBatch, b: number, { tokenizer }: Model): string {
  const T = input_ids.shape[1]!;
  const row = Array.from(input_ids.data.subarray(b * T, (b + 1) * T), Number);
  return tokenizer.decode(row.filter((_, t) => attention_mask.data[b * T + t] === 1));
}

function captionImage(caption: string): Buffer {
  const lines = wrapped(caption);
  const spans = lines.map((line, n) => `<text x="0" y="${(n + 1) * LINE.height}">${escaped(line)}</text>`);
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${CELL.image}" height="${CELL.text}" ` +
      `font-family="sans-serif" font-size="11">${spans.join('')}</svg>`,
  );
}

/** As many lines as there is room for; the last ends with … when words are left. */
function wrapped(caption: string): string[] {
  const lines: string[] = [''];
  for (const word of caption.split(/\s+/).flatMap((long) => long.match(/.{1,32}/gu) ?? [])) {
    const last = lines.length - 1;
    const longer = lines[last] === '' ? word : `${lines[last]} ${word}`;
    if (longer.length <= LINE.letters) lines[last] = longer;
    else if (lines.length === LINE.lines) return [...lines.slice(0, last), `${lines[last]!.slice(0, -1)}…`];
    else lines.push(word);
  }
  return lines;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
/** For XML, which has no control characters. */
const escaped = (text: string) =>
  text.replace(/\p{Cc}/gu, ' ').replace(/[&<>]/g, (character) => ENTITIES[character]!);
