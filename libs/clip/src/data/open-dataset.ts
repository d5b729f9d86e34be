/** Opens a dataset; its format follows from what is at the path. */
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { ClipError, isSystemError } from '../errors.js';
import { IMAGE_FORMATS } from '../preprocess/image-format.js';
import { openImageFolder } from './class-folders.js';
import { openCoco, openCocoFile } from './coco.js';
import { isTable, openTable, openTables } from './table.js';
import type { Dataset, DatasetOptions } from './types.js';
import { isShard, openShard, openShards } from './webdataset.js';

/**
 * The dataset at `path`. A folder is taken for the first of: COCO (it has annotations/captions_*.json or instances_*),
 * webdataset (it has .tar files), table (it has .csv, .tsv or .jsonl files), images by class. A file is taken by its
 * extension.
 * @throws ClipError DATASET_NOT_FOUND, DATASET_INVALID
 */
export async function openDataset(path: string, options: DatasetOptions = {}): Promise<Dataset> {
  const status = await stat(path).catch((cause: unknown) => {
    throw new ClipError('DATASET_NOT_FOUND', `there is no dataset at ${path}`, {
      found: isSystemError(cause, 'ENOENT') ? 'no such file or folder' : String(cause),
      cause,
    });
  });
  const { links = 'inside', formats = IMAGE_FORMATS } = options;
  const rule = { links, formats };
  if (status.isDirectory()) {
    return (
      (await openCoco(path, rule)) ??
      (await openShards(path, formats)) ??
      (await openTables(path, rule)) ??
      openImageFolder(path, options)
    );
  }
  if (isTable(path)) return openTable(path, rule);
  if (isShard(path)) return openShard(path, formats);
  if (extname(path).toLowerCase() === '.json') return openCocoFile(path, rule);
  throw new ClipError('DATASET_INVALID', `${path} is not a dataset`, {
    expected: 'a folder, or a .json (COCO), .csv, .tsv, .jsonl or .tar file',
    found: `the extension "${extname(path)}"`,
  });
}
