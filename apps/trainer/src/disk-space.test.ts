import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { byteCount, requireRoom, whileRoomLasts } from './disk-space.js';

const room = (bytes: number, there = 0) =>
  requireRoom({ folder: tmpdir(), option: '--feature-cache', what: 'features', bytes, there });

describe('room on a disk', () => {
  it('is asked for beforehand, less what is there', async () => {
    await room(1);
    await room(1e18, 1e18 - 1);
    await expect(room(1e18, 2e6)).rejects.toThrow(
      /^disk_full: --feature-cache .*: features take 1000000000.0 GB, of which 2.0 MB are there, and the disk has [\d.]+ [kMG]B free/,
    );
  });

  it('that ends is said in plain words, with what is not lost; other errors stay what they are', async () => {
    const failing = (code: string) => () => Promise.reject(Object.assign(new Error('write'), { code }));
    const run = (code: string) => whileRoomLasts('runs/a/last', 'the checkpoint stays', failing(code));
    await expect(run('ENOSPC')).rejects.toThrow(
      'disk_full: runs/a/last cannot be written (ENOSPC); the checkpoint stays',
    );
    await expect(run('EDQUOT')).rejects.toThrow('disk_full');
    await expect(run('EIO')).rejects.toThrow(/^write$/);
  });
});

it('bytes are told in the largest unit of which there is one', () => {
  expect([0, 999, 1000, 2.34e6, 5e9].map(byteCount)).toEqual([
    '0 bytes',
    '999 bytes',
    '1.0 kB',
    '2.3 MB',
    '5.0 GB',
  ]);
});
