/** Reads the bytes of image files into memory that is reused. */
import { close, constants, fstatSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { ClipError } from '../errors.js';
import type { ImageLocation } from './types.js';

const readAsync = promisify(read);
const closeAsync = promisify(close);

/** Larger files are refused, as the decoder does (preprocess/decode.ts). */
const MAX_BYTES = 32 << 20;
const SMALLEST = 1 << 16;

/**
 * Reads one file after the other into the same memory: a buffer for each would count towards V8's next garbage
 * collection, and hundreds of images are read per second.
 */
export class ImageReader {
  private memory = Buffer.alloc(0);

  /**
   * @returns bytes that are valid until the next call, which has to wait for this one
   * @throws ClipError IMAGE_TOO_LARGE, IMAGE_UNREADABLE for what is no regular file; or what reading throws, with `code` of
   *   the system
   */
  async read(location: ImageLocation): Promise<Uint8Array> {
    const { archive, offset, size } =
      typeof location === 'string' ? { archive: location, offset: 0, size: undefined } : location;
    // Opening takes less time than handing it to another thread; the bytes may have to come from the disk. Without
    // O_NONBLOCK, opening a named pipe would wait for a writer.
    const file = openSync(archive, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const status = fstatSync(file);
      if (!status.isFile())
        throw new ClipError('IMAGE_UNREADABLE', 'the image cannot be read', { found: 'not a regular file' });
      const length = size ?? status.size;
      if (length > MAX_BYTES) {
        throw new ClipError('IMAGE_TOO_LARGE', 'the image file has too many bytes', {
          expected: `at most ${MAX_BYTES}`,
          found: `${length}`,
        });
      }
      if (length > this.memory.length)
        this.memory = Buffer.allocUnsafeSlow(Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(length))));
      const { bytesRead } = await readAsync(file, this.memory, 0, length, offset);
      return this.memory.subarray(0, bytesRead);
    } finally {
      await closeAsync(file);
    }
  }
}

/** The bytes of one image's file. Throws as {@link ImageReader.read} does. */
export const readImageBytes = (location: ImageLocation): Promise<Uint8Array> =>
  new ImageReader().read(location);
