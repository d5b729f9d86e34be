import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder } from './make-folder.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'folders-'))));
afterAll(() => rm(folder, { recursive: true }));

describe('making a folder', () => {
  it('makes those above it too, from several callers at once, and leaves one that exists', async () => {
    const path = join(folder, 'ä b', 'c', 'd');
    await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(path, '..', 'e'))]);
    await makeFolder(path);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it('fails where a file or a broken link is in the way', async () => {
    await writeFile(join(folder, 'file'), '');
    await symlink(join(folder, 'absent', 'disk'), join(folder, 'link'));
    await expect(makeFolder(join(folder, 'file'))).rejects.toThrow('EEXIST');
    await expect(makeFolder(join(folder, 'file', 'below'))).rejects.toThrow('ENOTDIR');
    await expect(makeFolder(join(folder, 'link', 'below'))).rejects.toThrow('EEXIST');
  });

  it.runIf(process.platform === 'linux')(
    'fails in /proc, which reports that the folder is absent',
    async () => {
      await expect(makeFolder('/proc/clip/run')).rejects.toThrow('ENOENT');
    },
  );
});
