/**
 * Images → RGB pixels, as near to the server's decoder as a browser comes: plain JPEG files by the very same one, others by the
 * browser, without colour management and with their transparent pixels as they are stored.
 */
import type { JpegDecoder, RgbImage } from '@clip-ts/clip/browser';

/** As many pixels as the service takes where nothing else is set. */
const MAX_PIXELS = 32_000_000;

/** @param use gets pixels that are valid only until it returns */
export async function useDecoded<T>(
  image: Blob | ImageBitmap,
  jpeg: JpegDecoder,
  use: (image: RgbImage) => T,
): Promise<T> {
  if (image instanceof ImageBitmap) return use(bitmapPixels(image));
  const bytes = new Uint8Array(await image.arrayBuffer());
  const plain = jpeg.decode(bytes, MAX_PIXELS);
  if (plain !== undefined) return use(plain);
  return use((await storedPixels(bytes)) ?? (await drawnPixels(image)));
}

/** A canvas multiplies colours by alpha. PNG and WebP are read around it, where the browser can. */
async function storedPixels(bytes: Uint8Array<ArrayBuffer>): Promise<RgbImage | undefined> {
  const type = transparentType(bytes);
  if (type === undefined || !('ImageDecoder' in self)) return undefined;
  const decoder = new ImageDecoder({ data: bytes, type, colorSpaceConversion: 'none' });
  try {
    const { image: frame } = await decoder.decode();
    const { displayWidth: width, displayHeight: height, format } = frame;
    refuseHuge(width, height);
    // As the frame is stored: a conversion would go through colours multiplied by alpha.
    const pixels = new Uint8Array(frame.allocationSize());
    await frame.copyTo(pixels);
    frame.close();
    if (!/^(?:RGB|BGR)[AX]$/.test(format ?? '') || pixels.length !== width * height * 4) return undefined;
    return { data: withoutAlpha(pixels, format!.startsWith('B')), width, height };
  } catch {
    return undefined;
  } finally {
    decoder.close();
  }
}

function transparentType(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  if (head.startsWith('\x89PNG')) return 'image/png';
  return head.startsWith('RIFF') && head.endsWith('WEBP') ? 'image/webp' : undefined;
}

async function drawnPixels(file: Blob): Promise<RgbImage> {
  const bitmap = await createImageBitmap(file, {
    imageOrientation: 'from-image',
    colorSpaceConversion: 'none',
    premultiplyAlpha: 'none',
  }).catch(() => {
    throw new Error('The file is not an image that this browser can open.');
  });
  return bitmapPixels(bitmap);
}

function bitmapPixels(bitmap: ImageBitmap): RgbImage {
  const { width, height } = bitmap;
  try {
    refuseHuge(width, height);
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('The browser gave no canvas to read the image with.');
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return { data: withoutAlpha(data), width, height };
  } finally {
    bitmap.close();
  }
}

function refuseHuge(width: number, height: number): void {
  if (width * height <= MAX_PIXELS) return;
  throw new Error(
    `The image has ${width} × ${height} pixels; at most ${MAX_PIXELS / 1e6} million are taken here.`,
  );
}

/** [H, W, 4] → [H, W, 3] @param isBgr the order of the input's channels */
function withoutAlpha(pixels: Uint8Array | Uint8ClampedArray, isBgr = false): Uint8Array {
  const rgb = new Uint8Array((pixels.length / 4) * 3);
  const [red, blue] = isBgr ? [2, 0] : [0, 2];
  for (let from = 0, to = 0; from < pixels.length; from += 4) {
    rgb[to++] = pixels[from + red]!;
    rgb[to++] = pixels[from + 1]!;
    rgb[to++] = pixels[from + blue]!;
  }
  return rgb;
}
