/**
 * Keeps imports inside the folders that IMPORT_ROOT allows. Paths are compared after every symbolic link
 * has been followed, so neither `..` nor a link leads out.
 */
import { realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { Problem } from '../problems/problem.js';

/** The real path of `path`. Throws `import_forbidden` when it is absent or outside: which of the two is not told. */
export async function resolveImportPath(path: string, roots: readonly string[]): Promise<string> {
  if (roots.length === 0) {
    throw new Problem('import_forbidden', 'Imports are off: the server was started without IMPORT_ROOT.');
  }
  for (const root of roots) {
    const realRoot = await realPath(root);
    const real = await realPath(isAbsolute(path) ? path : join(root, path));
    if (realRoot !== undefined && real !== undefined && isBelow(real, realRoot)) return real;
  }
  throw new Problem('import_forbidden', `There is no path ${path} below a folder that imports may read.`);
}

/** True when `path` is `root` or below it; both are real paths. */
export function isBelow(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

async function realPath(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}
