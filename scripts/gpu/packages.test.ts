import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyPackages } from './packages.mjs';

const base = mkdtempSync(path.join(tmpdir(), 'gpu-packages-'));
const root = path.join(base, 'repository');
const target = path.join(base, 'copy');
afterAll(() => rmSync(base, { recursive: true }));

function write(name: string, content: unknown = ''): void {
  const file = path.join(root, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
}

beforeAll(() => {
  write('apps/program/package.json', { dependencies: { library: '1', shared: '1' } });
  write('apps/program/dist/main.js');
  write('apps/program/src/main.ts');
  write('libs/shared/package.json', { dependencies: { nested: '2' }, optionalDependencies: { absent: '1' } });
  write('libs/shared/dist/index.js');
  write('libs/shared/node_modules/nested/package.json', {});
  write('node_modules/library/package.json', { dependencies: { nested: '1' } });
  write('node_modules/library/index.js');
  write('node_modules/library/index.d.ts');
  write('node_modules/library/index.js.map');
  for (const place of [`${process.platform}/${process.arch}`, 'other/cpu'])
    write(`node_modules/library/bin/napi-v6/${place}/binding.node`);
  write('node_modules/nested/package.json', {});
  write('node_modules/unused/package.json', {});
  symlinkSync('../libs/shared', path.join(root, 'node_modules/shared'));
  copyPackages(root, target, ['apps/program']);
});

describe('a copy of workspaces with what they need', () => {
  it('has the layout of the repository, links included', () => {
    expect(existsSync(path.join(target, 'apps/program/dist/main.js'))).toBe(true);
    expect(existsSync(path.join(target, 'node_modules/shared/dist/index.js'))).toBe(true);
    expect(readlinkSync(path.join(target, 'node_modules/shared'))).toBe('../libs/shared');
    expect(existsSync(path.join(target, 'libs/shared/node_modules/nested/package.json'))).toBe(true);
    expect(readdirSync(path.join(target, 'node_modules')).sort()).toEqual(['library', 'nested', 'shared']);
  });

  it('leaves out sources, types and other platforms', () => {
    expect(existsSync(path.join(target, 'apps/program/src'))).toBe(false);
    const library = path.join(target, 'node_modules/library');
    expect(readdirSync(library).sort()).toEqual(['bin', 'index.js', 'package.json']);
    expect(readdirSync(path.join(library, 'bin/napi-v6'))).toEqual([process.platform]);
  });

  it('names what is not installed', () => {
    write('apps/broken/package.json', { dependencies: { nowhere: '1' } });
    expect(() => copyPackages(root, target, ['apps/broken'])).toThrow(
      'apps/broken needs nowhere, which is not installed. Install with: npm ci',
    );
  });
});
