/** Images for tests, drawn with sharp. */
import sharp from 'sharp';
import { COLOURS } from './tiny-checkpoint.js';

/** A PNG of one colour; `mark` makes a different file of (nearly) the same colour. */
export async function colourPng(name: string, mark = 0): Promise<Uint8Array<ArrayBuffer>> {
  const [r, g, b] = COLOURS[name]!.map((value) => (value + 1) * 127.5) as [number, number, number];
  const image = sharp({
    create: { width: 40, height: 30 + mark, channels: 3, background: { r, g, b } },
  });
  return new Uint8Array(await image.png().toBuffer());
}

/** A PNG of any colour, each channel 0 to 255. */
export async function rgbPng(r: number, g: number, b: number): Promise<Uint8Array<ArrayBuffer>> {
  const image = sharp({ create: { width: 20, height: 20, channels: 3, background: { r, g, b } } });
  return new Uint8Array(await image.png().toBuffer());
}

/** The image number `n` of a series in which no two are alike. */
export const numberedPng = (n: number): Promise<Uint8Array<ArrayBuffer>> =>
  rgbPng((n * 37) % 256, (n * 101) % 256, (n * 13 + Math.floor(n / 7)) % 256);
