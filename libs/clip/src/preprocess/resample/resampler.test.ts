import { describe, expect, it } from 'vitest';
import type { ResampleFilter } from './filters.js';
import { Resampler } from './resampler.js';
import { resizeAlongX, resizeAlongY } from './scalar.js';
import { SimdResizer } from './simd.js';
import { computeTaps } from './taps.js';

const grey = (values: number[], width: number) => ({
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
  width,
  height: values.length / width,
});
const full = (width: number, height: number) => ({ left: 0, top: 0, width, height });
const red = (pixels: Uint8Array) => [...pixels].filter((_, i) => i % 3 === 0);
const resize = (filter: ResampleFilter, values: number[], from: number, width: number, height: number) =>
  red(new Resampler(filter).resize(grey(values, from), width, height, full(width, height)));

describe('Resampler', () => {
  it('averages with the box filter when halving, and rounds after each pass', () => {
    // (200 + 51) / 2 and (30 + 40) / 2 round to 126 and 35, whose mean rounds to 81.
    expect(resize('box', [0, 100, 200, 51, 10, 20, 30, 40], 4, 2, 1)).toEqual([33, 81]);
  });

  it('weights by distance with the triangle filter', () => {
    expect(resize('bilinear', [0, 255], 2, 4, 1)).toEqual([0, 64, 191, 255]);
  });

  it('overshoots with the cubic filter, and clips', () => {
    expect(resize('bicubic', [0, 0, 255, 255], 4, 8, 1)).toEqual([0, 0, 0, 52, 203, 255, 255, 255]);
    expect(resize('bicubic', [50, 50, 150, 150], 4, 8, 1)[2]).toBeLessThan(50);
  });

  it('takes the pixel under the centre with nearest', () => {
    expect(resize('nearest', [1, 2, 3, 4], 4, 2, 1)).toEqual([2, 4]);
    expect(resize('nearest', [1, 2], 2, 5, 1)).toEqual([1, 1, 2, 2, 2]);
  });

  it('keeps a flat picture flat and a picture of the right size as it is, with every filter', () => {
    for (const filter of ['box', 'bilinear', 'hamming', 'bicubic', 'lanczos', 'nearest'] as const) {
      expect(new Set(resize(filter, Array<number>(63).fill(77), 9, 16, 3))).toEqual(new Set([77]));
      expect(resize(filter, [1, 20, 3, 40, 5, 60], 3, 3, 2)).toEqual([1, 20, 3, 40, 5, 60]);
    }
  });

  it('gives the same pixels for a window as for the whole', () => {
    const values = Array.from({ length: 40 * 23 }, (_, i) => (i * 7919) % 256);
    const image = grey(values, 40);
    for (const [width, height] of [
      [17, 11],
      [60, 9],
      [13, 50],
      [40, 7],
    ] as const) {
      const whole = red(new Resampler('bicubic').resize(image, width, height, full(width, height)));
      const window = { left: 3, top: 2, width: 8, height: 5 };
      const part = red(new Resampler('bicubic').resize(image, width, height, window));
      const expected = part.map((_, i) => whole[(2 + Math.floor(i / 8)) * width + 3 + (i % 8)]);
      expect(part).toEqual(expected);
    }
  });
});

describe('the SIMD passes', () => {
  const noise = (width: number, height: number, seed: number) => {
    const data = new Uint8Array(width * height * 3);
    for (let i = 0, state = seed; i < data.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[i] = state >>> 24;
    }
    return data;
  };
  const sizes: [input: number, output: number, start: number, length: number][] = [
    [1, 7, 0, 7],
    [2, 1, 0, 1],
    [5, 5, 1, 3],
    [31, 8, 0, 8],
    [33, 100, 90, 10],
    [640, 224, 100, 37],
    [1000, 3, 1, 2],
  ];

  it.each(sizes)(
    'equal the scalar ones along x and y: %i → %i, from %i on %i',
    (input, output, start, length) => {
      const simd = new SimdResizer();
      for (const filter of ['box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const) {
        const taps = computeTaps(filter, input, output, start, length);
        for (const across of [1, 5, 16, 23]) {
          simd.free();
          const data = noise(input, across, input + across);
          const wide = simd.held({ data, width: input, height: across }).data;
          const tall = simd.held({ data, width: across, height: input }).data;
          const alongX = resizeAlongX(data, input, across, taps, 0);
          const alongY = resizeAlongY(data, across, 0, across, taps, 0);
          expect(simd.alongX(data, input, across, taps, 0)).toEqual(alongX);
          expect(simd.alongX(wide, input, across, taps, 0)).toEqual(alongX);
          expect(simd.alongY(data, across, 0, across, taps, 0)).toEqual(alongY);
          expect(simd.alongY(tall, across, 0, across, taps, 0)).toEqual(alongY);
        }
      }
    },
  );

  it('equal the scalar ones where strips do not hold the whole image', () => {
    const simd = new SimdResizer();
    const [width, height] = [3000, 1500];
    const data = noise(width, height, 7);
    const columns = computeTaps('bicubic', width, 90, 3, 80);
    const rows = computeTaps('bicubic', height, 45, 5, 40);
    expect(
      Buffer.compare(
        simd.alongX(data, width, height, columns, 0)!,
        resizeAlongX(data, width, height, columns, 0),
      ),
    ).toBe(0);
    expect(
      Buffer.compare(
        simd.alongY(data, width, 11, 2900, rows, 0)!,
        resizeAlongY(data, width, 11, 2900, rows, 0),
      ),
    ).toBe(0);
  });

  it('leave a row of millions of pixels to the scalar ones, in bounded tables', () => {
    const width = 2_400_000;
    const image = { data: noise(width, 1, 3), width, height: 1 };
    const resampler = new Resampler('bicubic');
    const pixels = resampler.resize(image, 8, 2, { left: 2, top: 0, width: 5, height: 2 });
    const columns = computeTaps('bicubic', width, 8, 2, 5);
    const row = resizeAlongX(image.data, width, 1, columns, 0);
    expect([...pixels]).toEqual([...row, ...row]);
  });
});
