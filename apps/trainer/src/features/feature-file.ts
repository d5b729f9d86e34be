/**
 * Features on disk: a safetensors file with `image_features` [rows, D] and `text_features` [captions, D]. It is filled
 * in place under another name, with a note of how far it is, and gets its own name when it is whole; a computation that
 * was killed resumes from the note. Rows are read when they are asked for, so that the file's size costs no memory but
 * the system's file cache.
 */
import { readSync, writeSync } from 'node:fs';
import { open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { SafetensorsFile, safetensorsHeader } from '@clip-ts/clip';
import { makeFolder, writeFileAtomic } from '@clip-ts/clip/files';
import { z } from 'zod';
import { requireRoom } from '../disk-space.js';
import { InputError } from '../errors.js';

const FEATURE_KINDS = ['image_features', 'text_features'] as const;
export type FeatureKind = (typeof FEATURE_KINDS)[number];

/** Rows and width of each tensor. */
export type FeatureShapes = Record<FeatureKind, readonly [rows: number, width: number]>;

/** How many rows of each kind are computed, in the order in which they are computed. */
export type FeatureCounts = Record<FeatureKind, number>;

const count = z.int().min(0);
const progressSchema = z.object({ image_features: count, text_features: count });
const FLOAT = 4;

/** A whole file, open for reading. */
export interface FeatureFile {
  /** The rows with these numbers, one after the other: [indices, D]. */
  read(kind: FeatureKind, indices: ArrayLike<number>): Float32Array;
  close(): Promise<void>;
}

/** @returns undefined when there is no whole file at `file` */
export async function openFeatureFile(file: string, shapes: FeatureShapes): Promise<FeatureFile | undefined> {
  if ((await stat(file).catch(() => undefined)) === undefined) return undefined;
  // Checks the header against the file's length; the places of the rows are those of the header that was written.
  await (await SafetensorsFile.open(file)).close();
  const handle = await open(file);
  const { offsets } = layoutOf(shapes);
  return {
    read(kind, indices) {
      const width = shapes[kind][1];
      const rows = new Float32Array(indices.length * width);
      for (let n = 0; n < indices.length; n++) {
        const row = new Uint8Array(rows.buffer, n * width * FLOAT, width * FLOAT);
        readSync(handle.fd, row, 0, row.length, offsets[kind] + indices[n]! * width * FLOAT);
      }
      return rows;
    },
    close: () => handle.close(),
  };
}

/** A file that is being filled. */
export class UnfinishedFeatures {
  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly shapes: FeatureShapes,
    /** Rows that an earlier computation left. */
    readonly done: FeatureCounts,
  ) {}

  /** Begins the file, or resumes one that was left unfinished. @throws InputError disk_full */
  static async open(file: string, shapes: FeatureShapes): Promise<UnfinishedFeatures> {
    await makeFolder(path.dirname(file)).catch((error: Error) => {
      throw new InputError(`--feature-cache ${path.dirname(file)} cannot be written to: ${error.message}`);
    });
    const { header, size } = layoutOf(shapes);
    const found = await readProgress(progressFile(file));
    const partial = await stat(partialFile(file)).catch(() => undefined);
    if (found !== undefined && partial?.size === size) {
      return new UnfinishedFeatures(file, await open(partialFile(file), 'r+'), shapes, found);
    }
    await rm(progressFile(file), { force: true });
    await requireRoom({
      folder: path.dirname(file),
      option: '--feature-cache',
      what: `features of ${shapes.image_features[0]} images and ${shapes.text_features[0]} captions`,
      bytes: size,
      there: 0,
    });
    const handle = await open(partialFile(file), 'w');
    await handle.write(header);
    await handle.truncate(size);
    return new UnfinishedFeatures(file, handle, shapes, { image_features: 0, text_features: 0 });
  }

  /** @param values [indices, D]; more rows than indices may be there */
  write(kind: FeatureKind, indices: ArrayLike<number>, values: Float32Array): void {
    const width = this.shapes[kind][1];
    const { offsets } = layoutOf(this.shapes);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    // Row by row into the system's file cache: a promise for each takes longer than the copy.
    for (let n = 0; n < indices.length; n++) {
      const row = bytes.subarray(n * width * FLOAT, (n + 1) * width * FLOAT);
      const written = writeSync(
        this.handle.fd,
        row,
        0,
        row.length,
        offsets[kind] + indices[n]! * width * FLOAT,
      );
      // A disk takes a part of a row before it reports that it is full.
      if (written < row.length) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }
  }

  /** Notes that all rows so far are on disk. */
  async note(done: FeatureCounts): Promise<void> {
    await this.handle.datasync();
    await writeFileAtomic(progressFile(this.file), JSON.stringify(done));
  }

  /** The file is whole: gives it its name. */
  async finish(): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
    await rename(partialFile(this.file), this.file);
    await rm(progressFile(this.file), { force: true });
  }

  /** Leaves the file as it is, for another time. */
  close(): Promise<void> {
    return this.handle.close();
  }
}

const partialFile = (file: string) => `${file}.partial`;
const progressFile = (file: string) => `${file}.progress.json`;

async function readProgress(file: string): Promise<FeatureCounts | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return progressSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The header of the file, its size, and where each tensor begins. */
function layoutOf(shapes: FeatureShapes): { header: Uint8Array; size: number; offsets: FeatureCounts } {
  const entries = FEATURE_KINDS.map((name) => ({ name, dtype: 'F32' as const, shape: shapes[name] }));
  const header = safetensorsHeader(entries);
  const bytes = (kind: FeatureKind) => shapes[kind][0] * shapes[kind][1] * FLOAT;
  const image_features = header.byteLength;
  const text_features = image_features + bytes('image_features');
  return { header, size: text_features + bytes('text_features'), offsets: { image_features, text_features } };
}
