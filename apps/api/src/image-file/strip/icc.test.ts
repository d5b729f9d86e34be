import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { isCompressedProfile, isProfile } from './icc.js';
import { strippedParts } from './strip-metadata.js';

const picture = () =>
  sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).withIccProfile('p3');

const stripped = (bytes: Buffer, format: 'jpeg' | 'png' | 'webp') =>
  Buffer.concat(
    strippedParts(bytes, format, 1)!.map((part) =>
      Buffer.isBuffer(part) ? part : bytes.subarray(part.start, part.end),
    ),
  );

describe('the colour profile of a served file', () => {
  it.each(['jpeg', 'png', 'webp'] as const)(
    'stays in %s when it is one, and goes when it is not',
    async (format) => {
      const file = await picture().toFormat(format).toBuffer();
      const { icc } = await sharp(file).metadata();
      expect(isProfile(icc!)).toBe(true);
      expect((await sharp(stripped(file, format)).metadata()).icc).toEqual(icc);
      if (format === 'png') return;
      const broken = Buffer.from(file);
      broken.write('none', file.indexOf('acsp'), 'latin1');
      const { icc: left, width } = await sharp(stripped(broken, format)).metadata();
      expect([left, width]).toEqual([undefined, 8]);
    },
  );

  it('in PNG is no bomb, and nothing else in its place', async () => {
    const { icc } = await sharp(await picture().png().toBuffer()).metadata();
    const chunk = (data: Buffer) => Buffer.concat([Buffer.from('p\0\0', 'latin1'), deflateSync(data)]);
    expect(isCompressedProfile(chunk(icc!))).toBe(true);
    expect(isCompressedProfile(chunk(Buffer.alloc(64 * 1024 * 1024)))).toBe(false);
    expect(isCompressedProfile(chunk(Buffer.concat([icc!, Buffer.from('GPS')])))).toBe(false);
    expect(isCompressedProfile(Buffer.from('p\0\0not deflated'))).toBe(false);
  });
});
