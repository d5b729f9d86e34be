/**
 * The image files below a folder, and which of them an annotation refers to.
 *
 * A name is looked up as a path below the dataset's folder or one of its usual image folders: as it is written, then
 * with other separators, another Unicode normalisation or other case where that leaves one file. Last comes the bare
 * file name, if only one file has it.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { baseName, imageKind, relativeName, unreadFormat, withForwardSlashes } from './names.js';
import type { DatasetProblem, FileRule, LinkRule } from './types.js';

/** A file, or why there is none. */
export type Located =
  | { file: string; by: 'path' | 'name' }
  | {
      problem: 'image_missing' | 'image_ambiguous' | 'name_invalid' | 'format_unsupported';
      detail: string;
    };

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

  private readonly known = new Set<string>();

  private constructor(
    private readonly folder: string,
    private readonly rule: FileRule,
  ) {}

  private add({ path, real }: FoundFile): void {
    const isNew = !this.known.has(real);
    this.known.add(real);
    SPELLINGS.forEach((spell, i) => {
      push(this.byPath[i]!, spell(path), path);
      // A file that links lead to as well counts once.
      if (isNew) push(this.byName[i]!, spell(baseName(path)), path);
    });
  }

  /** The index of all image files below a folder, those of formats that are not read too. */
  static async of(folder: string, rule: FileRule): Promise<FileIndex> {
    const index = new FileIndex(folder, rule);
    const { files } = await walk(folder, rule.links, 'followed');
    for (const file of files) if (imageKind(file.path, rule.formats) !== undefined) index.add(file);
    return index;
  }

  /**
   * The file that `name` refers to.
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
        if (found.length === 1) return this.taken(found[0]!, 'path');
        if (found.length > 1) return ambiguous(found);
      }
    }
    const bare = baseName(spellings.at(-1)!);
    for (const [i, spell] of SPELLINGS.entries()) {
      const found = this.byName[i]!.get(spell(bare)) ?? [];
      if (found.length === 1) return this.taken(found[0]!, 'name');
      if (found.length > 1) return ambiguous(found);
    }
    const places = prefixes.map((prefix) => (prefix === '' ? 'the dataset’s folder' : prefix)).join(', ');
    return { problem: 'image_missing', detail: `looked in ${places}, then for the bare name anywhere` };
  }

  private taken(file: string, by: 'path' | 'name'): Located {
    const { formats } = this.rule;
    return imageKind(file, formats) === 'taken'
      ? { file, by }
      : { problem: 'format_unsupported', detail: unreadFormat(file, formats) };
  }
}

function push(map: Map<string, string[]>, key: string, file: string): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [file]);
  else known.push(file);
}

function ambiguous(files: readonly string[]): Located {
  const named = [...files].sort(byCodeUnits).slice(0, 3).join(', ') + (files.length > 3 ? ', …' : '');
  return { problem: 'image_ambiguous', detail: `${files.length} files could be meant: ${named}` };
}

/**
 * Image files below a folder, sorted, as paths with `/`; hidden files and folders are left out. Each is there once, also
 * where a link leads to its folder; a link to a file is a file of its own.
 */
export async function imageFiles(
  folder: string,
  { links, formats }: FileRule,
): Promise<{ files: string[]; problems: DatasetProblem[] }> {
  const { files, problems } = await walk(folder, links, 'once');
  const paths = files.map(({ path }) => path);
  const ofKind = (kind: 'taken' | 'other') => paths.filter((path) => imageKind(path, formats) === kind);
  const others = ofKind('other').map((name) => ({
    code: 'format_unsupported' as const,
    name,
    detail: unreadFormat(name, formats),
  }));
  return { files: ofKind('taken').sort(byCodeUnits), problems: [...problems, ...others] };
}

interface FoundFile {
  /** Below the folder, with `/` between its parts. */
  path: string;
  /** Its path with all links resolved. */
  real: string;
}

/**
 * Every file below a folder.
 * @param linked whether a folder that is reached directly is visited again by a link to it, so that its files are known by
 *   both paths; two links to one folder count once in any case
 */
async function walk(
  folder: string,
  rule: LinkRule,
  linked: 'followed' | 'once',
): Promise<{ files: FoundFile[]; problems: DatasetProblem[] }> {
  const root = await realpath(folder);
  const files: FoundFile[] = [];
  const problems: DatasetProblem[] = [];
  const visited = new Set([root]);
  const pending = [{ path: '', real: root }];
  const links: FoundFile[] = [];
  // Folders reached directly come first, so that their files are listed under that path.
  for (let next = pending.pop(); next !== undefined; next = pending.pop() ?? (await followed())) {
    const { path: below, real } = next;
    if (linked === 'once') visited.add(real);
    const entries = await readdir(real, { withFileTypes: true }).catch((error: unknown) => {
      if (below === '') throw error;
      problems.push({ code: 'folder_unreadable', name: below, detail: reasonOf(error) });
      return [];
    });
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const found = {
        path: below === '' ? entry.name : `${below}/${entry.name}`,
        real: join(real, entry.name),
      };
      if (entry.isFile()) files.push(found);
      else if (entry.isDirectory()) pending.push(found);
      else if (entry.isSymbolicLink()) links.push(found);
    }
  }
  return { files, problems };

  /** The next folder that a link leads to. */
  async function followed(): Promise<FoundFile | undefined> {
    for (let link = links.shift(); link !== undefined; link = links.shift()) {
      const { path, real } = link;
      const target = await realpath(real).catch(() => undefined);
      if (target === undefined || (rule === 'inside' && !isInside(target, root))) {
        const detail = target === undefined ? 'its target does not exist' : 'it leads out of the dataset';
        problems.push({ code: 'link_outside', name: path, detail });
        continue;
      }
      const status = await stat(target);
      if (status.isFile()) files.push({ path, real: target });
      else if (status.isDirectory() && !visited.has(target)) {
        visited.add(target);
        return { path, real: target };
      }
    }
    return undefined;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function isInside(path: string, folder: string): boolean {
  const below = relative(folder, path);
  return below === '' || !(below === '..' || below.startsWith(`..${sep}`));
}

export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
