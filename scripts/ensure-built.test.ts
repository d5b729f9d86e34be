import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureBuilt, outdatedPackages } from './ensure-built.mjs';

const TYPESCRIPT = fileURLToPath(new URL('../node_modules/typescript', import.meta.url));

let root: string;
const write = (name: string, content: unknown) =>
  writeFile(path.join(root, name), typeof content === 'string' ? content : JSON.stringify(content));
const compiled = () => readFile(path.join(root, 'dist/main.js'), 'utf8');

/** A workspace of one file, compiled by the real compiler. */
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'ensure-built-'));
  await mkdir(path.join(root, 'node_modules'));
  await symlink(TYPESCRIPT, path.join(root, 'node_modules/typescript'), 'dir');
  await write('package.json', {
    type: 'module',
    scripts: { build: 'node node_modules/typescript/bin/tsc -b' },
  });
  const compilerOptions = { composite: true, outDir: 'dist', module: 'nodenext', lib: ['es5'], types: [] };
  await write('tsconfig.json', { compilerOptions, files: ['main.ts'] });
  await write('main.ts', "export const said: string = 'before';\n");
});
afterEach(() => rm(root, { recursive: true }));

describe('starting after a pull', () => {
  it('compiles first, and again when a source has changed', async () => {
    await ensureBuilt(root);
    expect(await compiled()).toContain('before');
    await write('main.ts', "export const said: string = 'after';\n");
    await ensureBuilt(root);
    expect(await compiled()).toContain('after');
  });

  it('starts nothing when the sources do not compile', async () => {
    await ensureBuilt(root);
    await write('main.ts', 'export const said: string = 1;\n');
    await expect(ensureBuilt(root)).rejects.toThrow('do not compile');
  });

  it('names packages that are missing or of another version', async () => {
    const packages = {
      '': { version: '1.0.0' },
      'apps/own': { version: '1.0.0' },
      'node_modules/own': { link: true },
      'node_modules/current': { version: '1.0.0' },
      'node_modules/newer': { version: '2.0.0' },
      'node_modules/current/node_modules/@scope/inner': { version: '1.0.0' },
      'node_modules/other-platform': { version: '1.0.0', optional: true },
    };
    await write('package-lock.json', { packages });
    const installed = {
      'node_modules/current': { version: '1.0.0' },
      'node_modules/newer': { version: '1.9.0' },
    };
    await write('node_modules/.package-lock.json', { packages: installed });
    expect(await outdatedPackages(root)).toEqual(['newer', '@scope/inner']);
    await expect(ensureBuilt(root)).rejects.toThrow(/newer, @scope\/inner.*npm ci/);
  });
});
