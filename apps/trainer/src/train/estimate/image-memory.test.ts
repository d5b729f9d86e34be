import { describe, expect, it } from 'vitest';
import type { Stage } from '../../config/run-settings.js';
import { describeImageRoom, imageRoom, imagesToKeep } from './image-memory.js';

const stage = (frozenTowers: boolean, augmentation: string, cached_views = 0) =>
  ({ frozenTowers, config: { augmentation, cached_views } }) as unknown as Stage;
const training = { count: 1000, height: 10, width: 20 };
const validation = { count: 100, height: 10, width: 20 };

describe('the images that stages keep', () => {
  it('are all of both splits, resized, where a stage runs the towers on images as they are', () => {
    expect(imagesToKeep([stage(true, 'none'), stage(false, 'none')], training, validation)).toBe(660_000);
  });

  it('are originals of unknown size where they are augmented', () => {
    expect(imagesToKeep([stage(false, 'photo')], training, validation)).toBe(Infinity);
    expect(imagesToKeep([stage(true, 'photo')], training, validation)).toBe(Infinity);
  });

  it('are none where every stage takes features', () => {
    expect(imagesToKeep([stage(true, 'none'), stage(true, 'photo', 2)], training, validation)).toBe(0);
    expect(imagesToKeep([], training, validation)).toBe(0);
  });
});

describe('the memory of decoded images', () => {
  const GB = 1e9;
  const options = { allowed: 4 * GB, wanted: Infinity, free: 20 * GB, needed: 6 * GB };

  it('is what the user allows where the machine has that much, and no more than the images take', () => {
    expect(imageRoom(options)).toBe(4 * GB);
    expect(imageRoom({ ...options, wanted: GB })).toBe(GB);
    expect(imageRoom({ ...options, allowed: 0 })).toBe(0);
    expect(describeImageRoom({ ...options, wanted: GB })).toBe('decoded images take up to 1.0 GB more');
    expect(describeImageRoom({ ...options, wanted: 70_000 })).toBe('decoded images take up to 1 MB more');
  });

  it('is what the costliest stage leaves where that is less, and the plan says so', () => {
    const tight = { ...options, free: 8 * GB };
    expect(imageRoom(tight)).toBeCloseTo(1.2 * GB, -1);
    expect(describeImageRoom(tight)).toMatch(/up to 1\.2 GB more, .* \(--image-memory allows 4\.0 GB\)/);
    expect(imageRoom({ ...options, free: 6 * GB })).toBe(0);
  });

  it('is at most half of what is free where the backend gives no estimate', () => {
    expect(imageRoom({ ...options, free: 3 * GB, needed: undefined })).toBe(1.5 * GB);
  });

  it('is not mentioned where nothing is kept', () => {
    expect(describeImageRoom({ ...options, allowed: 0 })).toBeUndefined();
    expect(describeImageRoom({ ...options, wanted: 0 })).toBeUndefined();
  });
});
