/**
 * Resized images on disk, for what does not fit in memory: a file for each split with room for one image after the other,
 * shared by threads and by runs. H × W pixels.
 *
 * A record is an image's pixels and a trailer: which file they were made from (size, time of change, place in an archive) and
 * a checksum of both. So a record is whole, of the file as it is now, or absent: a kill costs nothing that is written, several
 * runs may fill one file, and an image that has changed is made again.
 */
import { constants, openSync, read, statSync, writevSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { ImageLocation } from '@clip-ts/clip/data';
import type { RgbImage } from '@clip-ts/clip/preprocess';

const readAsync = promisify(read);

/** Three float64 that tell the source, and the checksum as uint32, rounded up. */
const TRAILER_BYTES = 32;
const CHECKSUM_AT = 24;

/** Bytes of an image's record. */
export const recordBytes = (height: number, width: number): number => 3 * height * width + TRAILER_BYTES;

/** The images of one split, for the threads. */
export interface ResizedSplit {
  /** Exists, and has room for all images. */
  file: string;
  /** Number of its first image among all images of the pipeline, and how many there are. */
  first: number;
  count: number;
}

/** A thread's hold on the files; what asks at a time needs one of its own. */
export class ResizedImages {
  private readonly handles = new Map<ResizedSplit, number>();
  private readonly record: Buffer;
  private readonly trailer = Buffer.alloc(TRAILER_BYTES);

  constructor(
    private readonly splits: readonly ResizedSplit[],
    private readonly height: number,
    private readonly width: number,
  ) {
    this.record = Buffer.allocUnsafeSlow(recordBytes(height, width));
  }

  /** The pixels, valid until the next call; undefined when they are not there, or of another state of the file. */
  async get(image: number, location: ImageLocation): Promise<RgbImage | undefined> {
    const split = this.splitOf(image);
    if (split === undefined) return undefined;
    const { record, trailer, width, height } = this;
    const position = (image - split.first) * record.length;
    const { bytesRead } = await readAsync(this.handle(split), record, 0, record.length, position);
    if (bytesRead < record.length) return undefined;
    const data = record.subarray(0, -TRAILER_BYTES);
    const found = record.subarray(-TRAILER_BYTES);
    // Empty room, which most images are in the first epoch.
    if (found.readUInt32LE(CHECKSUM_AT) === 0) return undefined;
    writeTrailer(trailer, data, location);
    return found.equals(trailer) ? { data, width, height } : undefined;
  }

  /** @throws what the system throws when it cannot be written, e.g. ENOSPC */
  put(image: number, location: ImageLocation, data: Uint8Array): void {
    const split = this.splitOf(image);
    if (split === undefined) return;
    const { record, trailer } = this;
    writeTrailer(trailer, data, location);
    const position = (image - split.first) * record.length;
    const written = writevSync(this.handle(split), [data, trailer], position);
    // A disk that is full takes a part. The trailer is missing then.
    if (written < record.length) throw new Error('the disk is full');
  }

  private splitOf(image: number): ResizedSplit | undefined {
    return this.splits.find(({ first, count }) => image >= first && image < first + count);
  }

  private handle(split: ResizedSplit): number {
    let handle = this.handles.get(split);
    if (handle === undefined) {
      handle = openSync(split.file, constants.O_RDWR);
      this.handles.set(split, handle);
    }
    return handle;
  }
}

function writeTrailer(trailer: Buffer, pixels: Uint8Array, location: ImageLocation): void {
  const { archive, offset } = typeof location === 'string' ? { archive: location, offset: 0 } : location;
  // Takes less time than handing it to another thread.
  const { size, mtimeMs } = statSync(archive);
  trailer.fill(0);
  trailer.writeDoubleLE(size, 0);
  trailer.writeDoubleLE(mtimeMs, 8);
  trailer.writeDoubleLE(offset, 16);
  const checksum = crc32(pixels, crc32(trailer.subarray(0, CHECKSUM_AT)));
  // 0 is empty room.
  trailer.writeUInt32LE(checksum || 1, CHECKSUM_AT);
}
