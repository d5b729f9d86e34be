/** The architectures that the model zoo has, as the error for an unknown `model_type` lists them. */
import { ClipError } from '../src/errors.js';
import { createTextTower, createVisionTower } from '../src/model/registry.js';

function listedBy(create: (json: unknown) => unknown): readonly string[] {
  try {
    create({ model_type: 'unknown' });
  } catch (error) {
    const expected = error instanceof ClipError ? error.expected : undefined;
    if (expected !== undefined) return expected.replace('one of ', '').split(', ');
  }
  throw new Error('an unknown model_type is not refused with a list of the known ones');
}

export const VISION_TYPES = listedBy(createVisionTower);
export const TEXT_TYPES = listedBy(createTextTower);
