/** The files of `--image-cache`: named by what they hold, made as large as they may become once there is room for them. */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '@clip-ts/clip/files';
import type { DatasetImage } from '@clip-ts/clip/data';
import { byteCount, requireRoom } from '../../disk-space.js';
import { InputError } from '../../errors.js';
import { PROCESSOR_FILE } from '../../model/image-processor.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import { recordBytes } from './resized-images.js';

/** Raised when the same image comes out otherwise than before, or lies otherwise in the file. */
const VERSION = 1;

/**
 * One file for each split, in order.
 * @throws InputError disk_full when the disk has no room for all images; for a folder that cannot be written to
 */
export async function openResizedFiles(
  folder: string,
  splits: readonly (readonly DatasetImage[])[],
  { assets, processor }: Pick<AssembledModel, 'assets' | 'processor'>,
  log: (line: string) => void,
): Promise<string[]> {
  const { height, width } = processor;
  const record = recordBytes(height, width);
  const files = splits.map((images) => ({
    file: path.join(folder, `${keyOf(images, assets[PROCESSOR_FILE]!)}.pixels`),
    bytes: images.length * record,
  }));
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  try {
    await makeFolder(folder);
    let there = 0;
    for (const { file, bytes } of files) there += Math.min(bytes, await diskBytes(file));
    const images = splits.reduce((sum, { length }) => sum + length, 0);
    const what = `${images.toLocaleString('en')} images of ${width} × ${height} pixels`;
    await requireRoom({ folder, option: '--image-cache', what, bytes: total, there });
    for (const { file, bytes } of files) await makeRoom(file, bytes);
    log(
      `resized images are kept in ${folder}: ${what}, up to ${byteCount(total)} (${byteCount(there)} there)`,
    );
  } catch (error) {
    if (error instanceof InputError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`--image-cache ${folder} cannot be written to: ${reason}`);
  }
  return files.map(({ file }) => file);
}

/** Where images lie does not matter: the records tell which files they are of. */
function keyOf(images: readonly DatasetImage[], processorConfig: string | Uint8Array): string {
  const hash = createHash('sha256').update(`${VERSION}\n`).update(processorConfig).update('\n');
  for (const { name } of images) hash.update(`${JSON.stringify(name)}\n`);
  return hash.digest('hex');
}

/** Bytes that a file takes so far. */
const diskBytes = (file: string): Promise<number> =>
  stat(file).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  );

/** Gives a file its length, which takes no disk until images are written. */
async function makeRoom(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'a');
  try {
    if ((await handle.stat()).size !== bytes) await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}
