/** Copies workspaces of this repository with the packages that they need at run time, for this platform only. */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import path from 'node:path';

/** Not read when programs run. */
const LEFT_OUT =
  /\.(?:map|md|ts|mts|cts|flow|c|cc|h|gyp|tsbuildinfo)$|[/\\](?:tests?|__tests__|docs?|examples?)$/;

/** What a workspace runs from: programs, modules of the trainer that gpu:check uses by themselves, and the addon. */
const WORKSPACE_PARTS = ['package.json', 'dist', 'build/backend', 'build/errors.js', 'build/ort-native.node'];

/** The folder of a package as a module in `from` would find it. @param {string} root @param {string} from @param {string} name */
function findPackage(root, from, name) {
  for (let folder = from; folder.startsWith(root); folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', name);
    if (existsSync(candidate)) return candidate;
    if (folder === root) break;
  }
  return undefined;
}

/** @param {string} from @param {string} to */
function copyPackage(from, to) {
  const otherPlatforms = path.join(from, 'bin', 'napi-v6');
  const ownPlatform = path.join(otherPlatforms, process.platform, process.arch);
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (source) => {
      const relative = path.relative(from, source);
      if (/(?:^|[/\\])node_modules$/.test(relative)) return false;
      if (source.startsWith(otherPlatforms + path.sep))
        return ownPlatform.startsWith(source) || source.startsWith(ownPlatform);
      return relative === '' || !LEFT_OUT.test(source);
    },
  });
}

/**
 * @param {string} root     of the repository
 * @param {string} target   gets the same layout
 * @param {string[]} workspaces  relative to the root; those that they depend on come along
 */
export function copyPackages(root, target, workspaces) {
  const base = realpathSync(root);
  const done = new Set();
  /** @param {string} folder */
  const visit = (folder) => {
    if (done.has(folder)) return;
    done.add(folder);
    const relative = path.relative(base, folder);
    const isWorkspace = !relative.split(path.sep).includes('node_modules');
    if (isWorkspace) {
      for (const part of WORKSPACE_PARTS)
        if (existsSync(path.join(folder, part)))
          cpSync(path.join(folder, part), path.join(target, relative, part), { recursive: true });
    } else {
      copyPackage(folder, path.join(target, relative));
    }
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(path.join(folder, 'package.json'), 'utf8'),
    );
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = findPackage(base, folder, name);
      if (found === undefined) {
        if (name in optionalDependencies) continue;
        throw new Error(`${relative} needs ${name}, which is not installed. Install with: npm ci`);
      }
      const real = realpathSync(found);
      if (real !== found) {
        const link = path.join(target, path.relative(base, found));
        if (!existsSync(link)) {
          mkdirSync(path.dirname(link), { recursive: true });
          symlinkSync(path.relative(path.dirname(found), real), link);
        }
      }
      visit(real);
    }
  };
  for (const workspace of workspaces) visit(path.join(base, workspace));
}
