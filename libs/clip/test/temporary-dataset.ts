/** Datasets that tests write into a temporary folder and read through the one public function. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { openDataset, type DatasetSplit } from '../src/data/index.js';

export interface TemporaryDataset {
  /** The folder of the test that runs. */
  readonly root: string;
  /** Writes a file below the folder; objects as JSON. */
  put(path: string, content?: string | Buffer | object): Promise<void>;
  read(split: string, path?: string): Promise<DatasetSplit>;
}

/** An empty folder for each test. */
export function useDataset(): TemporaryDataset {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dataset-'));
  });
  afterEach(() => rm(root, { recursive: true }));
  return {
    get root() {
      return root;
    },
    put: async (path, content = '') => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      const raw = typeof content === 'string' || Buffer.isBuffer(content);
      await writeFile(join(root, path), raw ? content : JSON.stringify(content));
    },
    read: async (split, path = root) => (await openDataset(path)).read(split),
  };
}

export const captionsOf = ({ images }: DatasetSplit) =>
  Object.fromEntries(images.map(({ name, captions }) => [name, captions]));
export const problemsOf = ({ problems }: DatasetSplit) => problems.map(({ code, name }) => `${code} ${name}`);
