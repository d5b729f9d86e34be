/** PIL's resampling filters (Pillow, src/libImaging/Resample.c). */

/** The filters under PIL's numbers; `resample` in preprocessor_config.json. */
export const RESAMPLE_FILTERS = {
  0: 'nearest',
  1: 'lanczos',
  2: 'bilinear',
  3: 'bicubic',
  4: 'box',
  5: 'hamming',
} as const;
export type ResampleFilter = (typeof RESAMPLE_FILTERS)[keyof typeof RESAMPLE_FILTERS];
/** The filters that weigh several pixels. */
export type WeightedFilter = Exclude<ResampleFilter, 'nearest'>;

/** Half-width of each filter in pixels of the output, and its value at distance x from the centre. */
export const KERNELS: Record<WeightedFilter, { support: number; weight: (x: number) => number }> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function hamming(x: number): number {
  const distance = Math.abs(x);
  return distance >= 1 ? 0 : sinc(distance) * (0.54 + 0.46 * Math.cos(distance * Math.PI));
}

/** Keys' cubic with a = −0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  const distance = Math.abs(x);
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  if (distance < 2) return (((distance - 5) * distance + 8) * distance - 4) * a;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
