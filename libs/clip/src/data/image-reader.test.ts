import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageReader, readImageBytes } from './image-reader.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-reader-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('ImageReader', () => {
  it('reads files and parts of archives into the same memory, whichever is larger', async () => {
    const reader = new ImageReader();
    const path = join(folder, 'large.jpg');
    await writeFile(path, Buffer.alloc(200_000, 'ab'));
    await writeFile(join(folder, 'small.jpg'), 'small');
    expect(Buffer.from(await reader.read(join(folder, 'small.jpg'))).toString()).toBe('small');
    expect((await reader.read(path)).length).toBe(200_000);
    const small = await reader.read(join(folder, 'small.jpg'));
    expect(Buffer.from(small).toString()).toBe('small');
    const part = await reader.read({ archive: path, offset: 199_997, size: 3 });
    expect(Buffer.from(part).toString()).toBe('bab');
    expect(part.buffer).toBe(small.buffer);
  });

  it('refuses what is no regular file and what is too large, without waiting or reading', async () => {
    const pipe = join(folder, 'pipe.jpg');
    execFileSync('mkfifo', [pipe]);
    await expect(readImageBytes(pipe)).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    await expect(readImageBytes(folder)).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    const huge = join(folder, 'huge.jpg');
    await writeFile(huge, '');
    await truncate(huge, 2 ** 40);
    await expect(readImageBytes(huge)).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    await expect(readImageBytes(join(folder, 'absent.jpg'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
