import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recoverFolder, writeFileAtomic, writeFolderAtomic } from './atomic.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-atomic-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('writeFileAtomic', () => {
  it('writes a file and the folders above it, and leaves nothing else', async () => {
    const path = join(folder, 'a/b/file.txt');
    await writeFileAtomic(path, 'text');
    expect(await readFile(path, 'utf8')).toBe('text');
    expect(await readdir(join(folder, 'a/b'))).toEqual(['file.txt']);
  });

  it('keeps the old content when the writer fails, and removes the half-written sibling', async () => {
    const path = join(folder, 'file.txt');
    await writeFileAtomic(path, 'old');
    const failing = writeFileAtomic(path, async (temporary) => {
      await writeFile(temporary, 'half');
      throw new Error('disk on fire');
    });
    await expect(failing).rejects.toThrow('disk on fire');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['file.txt']);
  });

  it('removes what a killed process left behind, but not the file of a running one', async () => {
    const path = join(folder, 'file.txt');
    const dead = join(folder, '.file.txt.4194304999-0123456789ab.tmp');
    const running = join(folder, `.file.txt.${process.ppid}-0123456789ab.tmp`);
    await writeFile(dead, 'half');
    await writeFile(running, 'half');
    await writeFileAtomic(path, 'new');
    expect((await readdir(folder)).sort()).toEqual([
      `.file.txt.${process.ppid}-0123456789ab.tmp`,
      'file.txt',
    ]);
  });
});

describe('writeFolderAtomic', () => {
  it('replaces a folder as a whole: files of the old one are gone', async () => {
    const path = join(folder, 'checkpoint');
    await writeFolderAtomic(path, (to) => writeFile(join(to, 'one'), '1'));
    await writeFolderAtomic(path, async (to) => {
      await mkdir(join(to, 'onnx'));
      await writeFile(join(to, 'onnx/two'), '2');
    });
    expect(await readdir(path)).toEqual(['onnx']);
    expect(await readdir(folder)).toEqual(['checkpoint']);
  });

  it('keeps the old folder when filling the new one fails', async () => {
    const path = join(folder, 'checkpoint');
    await writeFolderAtomic(path, (to) => writeFile(join(to, 'one'), '1'));
    await expect(
      writeFolderAtomic(path, async (to) => {
        await writeFile(join(to, 'two'), '2');
        throw new Error('no space');
      }),
    ).rejects.toThrow('no space');
    expect(await readdir(path)).toEqual(['one']);
    expect(await readdir(folder)).toEqual(['checkpoint']);
  });

  it('starts with an empty folder even when a killed process left a half-filled one', async () => {
    const path = join(folder, 'checkpoint');
    await mkdir(join(folder, '.checkpoint.4194304999-0123456789ab.tmp'));
    await writeFile(join(folder, '.checkpoint.4194304999-0123456789ab.tmp/half'), '');
    await writeFolderAtomic(path, (to) => writeFile(join(to, 'one'), '1'));
    expect(await readdir(folder)).toEqual(['checkpoint']);
  });
});

describe('recoverFolder', () => {
  it('puts back the newest content when the replacement was cut off between the renames', async () => {
    const path = join(folder, 'checkpoint');
    await writeFolderAtomic(path, (to) => writeFile(join(to, 'one'), '1'));
    await rename(path, join(folder, '.checkpoint.4194304999-0123456789ab.old'));
    const older = join(folder, '.checkpoint.4194304998-0123456789ab.old');
    await mkdir(older);
    await utimes(older, 1, 1);
    expect(await recoverFolder(path)).toBe(true);
    expect(await readdir(path)).toEqual(['one']);
  });

  it('does nothing when the folder is there, or when there is nothing to put back', async () => {
    const path = join(folder, 'checkpoint');
    expect(await recoverFolder(path)).toBe(false);
    await mkdir(path);
    await mkdir(join(folder, '.checkpoint.4194304999-0123456789ab.old'));
    expect(await recoverFolder(path)).toBe(false);
  });
});
