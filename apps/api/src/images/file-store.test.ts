import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterEach, expect, it } from 'vitest';
import { FileStore } from './file-store.js';

let folder: string;
afterEach(() => rm(folder, { recursive: true }));

/** A black PNG of one bit a pixel: some 34 KB for a side of 16,500. */
function blackPng(side: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 1;
  const rows = deflateSync(Buffer.alloc(side * (1 + Math.ceil(side / 8))));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

it('makes a thumbnail of an image with more pixels than sharp takes by itself', async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-files-'));
  const files = new FileStore(folder);
  const [id, side] = ['a'.repeat(64), 16_500];
  const bytes = blackPng(side);
  await expect(sharp(bytes).toBuffer()).rejects.toThrow('exceeds pixel limit');
  await files.put(id, 'image/png', bytes);
  const path = await files.thumbnail(id, 'image/png', { width: side, height: side });
  expect(await sharp(path).metadata()).toMatchObject({ format: 'webp', width: 320, height: 320 });
});
