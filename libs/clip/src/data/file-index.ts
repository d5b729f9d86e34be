/**
 * The image files below a folder, and which of them an annotation means.
 *
 * A name is looked up as a path below the dataset's folder or one of its usual image folders: as it is written,
 * then with other separators, another Unicode normalisation or other case where that leaves one file. Only
 * then does the bare file name count, and only when no other file bears it.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { baseName, isImageName, relativeName, withForwardSlashes } from './names.js';

/** A file, or why there is none. */
export type Located =
  | { file: string; by: 'path' | 'name' }
  | { problem: 'image_missing' | 'image_ambiguous' | 'name_invalid'; detail: string };

/** Spellings under which a file is also found, from the strictest to the loosest. */
const SPELLINGS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.normalize('NFC'),
  (name) => name.normalize('NFC').toLowerCase(),
];

export class FileIndex {
  /** For each spelling: path → files. */
  private readonly byPath = SPELLINGS.map(() => new Map<string, string[]>());
  /** For each spelling: bare name → files. */
  private readonly byName = SPELLINGS.map(() => new Map<string, string[]>());

  /**
   * @param folder the dataset's folder
   * @param files paths below it, with `/` between their parts
   */
  constructor(
    private readonly folder: string,
    readonly files: readonly string[],
  ) {
    for (const file of files) {
      SPELLINGS.forEach((spell, i) => {
        push(this.byPath[i]!, spell(file), file);
        push(this.byName[i]!, spell(baseName(file)), file);
      });
    }
  }

  /** The index of all image files below a folder; links are followed as long as they stay inside it. */
  static async of(folder: string): Promise<FileIndex> {
    return new FileIndex(folder, await imageFiles(folder));
  }

  /**
   * The file that `name` means.
   * @param prefixes folders below the dataset's in which the name is looked up, in this order; '' is the dataset's own
   */
  locate(name: string, prefixes: readonly string[]): Located {
    const spellings = [...new Set([name, withForwardSlashes(name)])].map((spelling) =>
      relativeName(spelling, this.folder),
    );
    if (!spellings.every((spelling) => spelling !== undefined)) {
      return { problem: 'name_invalid', detail: 'expected a path below the folder of the dataset' };
    }
    const paths = spellings.flatMap((path) =>
      prefixes.map((prefix) => (prefix === '' ? path : `${prefix}/${path}`)),
    );
    for (const [i, spell] of SPELLINGS.entries()) {
      for (const path of paths) {
        const found = this.byPath[i]!.get(spell(path)) ?? [];
        if (found.length === 1) return { file: found[0]!, by: 'path' };
        if (found.length > 1) return ambiguous(found);
      }
    }
    const bare = baseName(spellings.at(-1)!);
    for (const [i, spell] of SPELLINGS.entries()) {
      const found = this.byName[i]!.get(spell(bare)) ?? [];
      if (found.length === 1) return { file: found[0]!, by: 'name' };
      if (found.length > 1) return ambiguous(found);
    }
    const places = prefixes.map((prefix) => (prefix === '' ? 'the dataset’s folder' : prefix)).join(', ');
    return { problem: 'image_missing', detail: `looked in ${places}, then for the bare name anywhere` };
  }
}

function push(map: Map<string, string[]>, key: string, file: string): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [file]);
  else known.push(file);
}

function ambiguous(files: readonly string[]): Located {
  const named = files.slice(0, 3).join(', ') + (files.length > 3 ? ', …' : '');
  return { problem: 'image_ambiguous', detail: `${files.length} files could be meant: ${named}` };
}

/** Image files below a folder, sorted, as paths with `/`; hidden files and folders are left out. */
export async function imageFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  await walk(folder, (file) => {
    if (isImageName(file)) found.push(file);
  });
  return found.sort(byCodeUnits);
}

/** Calls `visit` with every file below a folder. A folder that is reached twice, by links, is visited once. */
async function walk(folder: string, visit: (file: string) => void): Promise<void> {
  const root = await realpath(folder);
  const visited = new Set([root]);
  const pending = [''];
  for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isFile()) visit(path);
      else if (entry.isDirectory()) pending.push(path);
      else if (entry.isSymbolicLink()) {
        const target = await realpath(join(folder, path)).catch(() => undefined);
        if (target === undefined || !isInside(target, root)) continue;
        const status = await stat(target);
        if (status.isFile()) visit(path);
        else if (status.isDirectory() && !visited.has(target)) {
          visited.add(target);
          pending.push(path);
        }
      }
    }
  }
}

function isInside(path: string, folder: string): boolean {
  const below = relative(folder, path);
  return below === '' || !(below === '..' || below.startsWith(`..${sep}`));
}

export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
