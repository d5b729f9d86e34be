/**
 * Golden data: what transformers, PyTorch and tokenizers computed. The project's own lies in test/golden
 * (scripts/golden makes it); where CLIP_TEST_DATA names a folder of test data, its golden folders count too.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's own. */
export const GOLDEN = fileURLToPath(new URL('golden', import.meta.url));

const outside = process.env.CLIP_TEST_DATA;

export interface GoldenFolder {
  /** The folder's name, with a mark where it is not the project's own. */
  readonly name: string;
  readonly path: string;
}

/** The folders of one kind, e.g. `models`; of the given names alone, if any. */
export function goldenFolders(kind: string, names?: readonly string[]): GoldenFolder[] {
  const roots = outside === undefined ? [GOLDEN] : [GOLDEN, join(outside, 'golden')];
  return roots
    .map((root) => join(root, kind))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && (names === undefined || names.includes(entry.name)))
        .map((entry) => join(folder, entry.name)),
    )
    .map((path) => ({
      name: path.startsWith(GOLDEN) ? basename(path) : `${basename(path)} (CLIP_TEST_DATA)`,
      path,
    }));
}

/** Of folders with one name, the first alone: each case once, where running all of them takes long. */
export function eachOnce(folders: readonly GoldenFolder[]): GoldenFolder[] {
  const named = new Map([...folders].reverse().map((folder) => [basename(folder.path), folder]));
  return folders.filter((folder) => named.get(basename(folder.path)) === folder);
}
