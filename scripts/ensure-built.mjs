/**
 * Brings the compiled files up to date with the sources, and refuses when the installed packages are not those of
 * package-lock.json. After `git pull` either may be out of date.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * @typedef {{ version?: string, link?: boolean, optional?: boolean, peer?: boolean }} LockedPackage
 * @typedef {Record<string, LockedPackage>} LockedPackages
 */

/** @param {string} file @returns {Promise<LockedPackages | undefined>} */
async function lockedPackages(file) {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text).packages;
}

/**
 * Packages of package-lock.json that are not installed, or in another version. Optional packages, which depend on the
 * platform, and peers are left out.
 * @param {string} root @returns {Promise<string[]>}
 */
export async function outdatedPackages(root) {
  const locked = (await lockedPackages(path.join(root, 'package-lock.json'))) ?? {};
  const installed = (await lockedPackages(path.join(root, 'node_modules/.package-lock.json'))) ?? {};
  return Object.entries(locked)
    .filter(
      ([folder, { link, optional, peer }]) => folder.includes('node_modules/') && !link && !optional && !peer,
    )
    .filter(([folder, { version }]) => installed[folder]?.version !== version)
    .map(([folder]) => folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length));
}

/** @param {string} root @returns {Promise<number>} exit code */
async function build(root) {
  // npm sets npm_execpath for the scripts that it runs.
  const npm = process.env.npm_execpath;
  const args = ['run', '--silent', 'build'];
  const options = { cwd: root, stdio: /** @type {const} */ ('inherit') };
  const child = npm
    ? spawn(process.execPath, [npm, ...args], options)
    : spawn('npm', args, { ...options, shell: process.platform === 'win32' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/**
 * Compiles what has changed since the last build; takes a second or two when nothing has.
 * @param {string} root folder of package.json
 * @throws {Error} when packages are missing or the sources do not compile
 */
export async function ensureBuilt(root) {
  const outdated = await outdatedPackages(root);
  if (outdated.length > 0) {
    const named = outdated.slice(0, 3).join(', ') + (outdated.length > 3 ? ', …' : '');
    throw new Error(
      `${outdated.length} installed packages are not those of package-lock.json (${named}); run: npm ci`,
    );
  }
  const code = await build(root);
  if (code !== 0) throw new Error(`the sources do not compile (exit code ${code}); nothing was started`);
}
