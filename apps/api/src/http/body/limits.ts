/** How large bodies may be that carry images, texts or vectors. MAX_REQUEST_BYTES bounds all of them besides. */
import type { Config } from '../../config/config.js';
import type { FormLimits } from './form-body.js';
import type { JsonBodyLimits } from './json-body.js';

/** Room for the parts of a body that are not its payload, in bytes. */
const FRAME = 64 * 1024;
/** Longest JSON of one UTF-16 code unit: `\u1234`. */
const JSON_BYTES_PER_CHARACTER = 6;
/** Bytes of a number of a vector in JSON, indentation included. */
const BYTES_PER_NUMBER = 64;

/** Bytes of a JSON body with one image in base64, which may be broken into lines. */
export function imageJsonBytes({ MAX_IMAGE_BYTES }: Config): number {
  return Math.ceil((MAX_IMAGE_BYTES * 4) / 3) + Math.ceil(MAX_IMAGE_BYTES / 24) + FRAME;
}

/** Bytes of `count` texts in JSON, each character escaped. */
export function textJsonBytes(count: number, maxLength: number): number {
  return count * (maxLength * JSON_BYTES_PER_CHARACTER + 16) + FRAME;
}

/** A JSON body with one vector [E]; longer ones are read far enough to be refused for their length. */
export function vectorJsonLimits(embeddingSize: number): JsonBodyLimits {
  const maxValues = 2 * embeddingSize + 4096;
  return { maxBytes: maxValues * BYTES_PER_NUMBER, maxValues };
}

/** A form with one image and no other field. */
export function imageFormLimits(config: Config): FormLimits {
  const maxBytes = config.MAX_IMAGE_BYTES + FRAME;
  return { ...filesFormLimits(config), files: ['image'], maxFiles: 1, maxBytes };
}

/** A form with up to MAX_FILES images and no other field. */
export function filesFormLimits({ MAX_FILES, MAX_IMAGE_BYTES, MAX_REQUEST_BYTES }: Config): FormLimits {
  return {
    maxBytes: MAX_REQUEST_BYTES,
    fields: [],
    maxFields: 0,
    files: ['image', 'images'],
    maxFiles: MAX_FILES,
    maxFileBytes: MAX_IMAGE_BYTES,
  };
}
