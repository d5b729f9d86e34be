/** The one image of a request: a file of the form, or base64 text of a JSON body. Checked before it is used. */
import type { ImageInput } from '../encoder/encoder.js';
import { inspectImage } from '../image-file/image-format.js';
import type { ImageLimits } from '../image-file/image-format.js';
import type { ProblemCode } from '../problems/catalogue.js';
import { Problem } from '../problems/problem.js';
import { decodeBase64 } from './base64.js';
import type { Form } from './body/form-body.js';

/** What a route that takes images answers where one cannot be used. */
export const IMAGE_PROBLEMS = [
  'image_too_large',
  'too_many_pixels',
  'too_costly_to_decode',
  'unsupported_image_format',
  'undecodable_image',
] as const satisfies readonly ProblemCode[];

/** The one file of a form. */
export async function formImage({ files }: Form, limits: ImageLimits): Promise<ImageInput> {
  const [file] = files;
  if (file === undefined || files.length > 1) {
    throw invalid('image', `expected one file, found ${files.length}`);
  }
  return checked(file.bytes, limits);
}

/** Decodes and checks an image in base64, alone or in a `data:` URL. `field` names it in errors. */
export async function decodeImage(text: string, field: string, limits: ImageLimits): Promise<ImageInput> {
  if (/^\s{0,100}https?:\/\//i.test(text)) {
    throw invalid(field, 'expected the image itself in base64; addresses are not fetched');
  }
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw invalid(field, 'expected base64, or a data: URL with base64');
  return checked(bytes, limits);
}

/** Checks a file, and says what it costs. */
export async function checked(bytes: Buffer, limits: ImageLimits): Promise<ImageInput> {
  const { width, height, memory } = await inspectImage(bytes, limits);
  return { bytes, pixels: width * height, memory };
}

function invalid(field: string, detail: string): Problem {
  return new Problem('invalid_request', `${field}: ${detail}`, { errors: [{ field, detail }] });
}
