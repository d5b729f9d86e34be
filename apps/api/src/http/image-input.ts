/** The one image of a request: a file of the form, or base64 text of a JSON body. Checked before it is used. */
import type { Request } from 'express';
import { inspectImage } from '../image-file/image-format.js';
import { Problem } from '../problems/problem.js';
import { decodeBase64 } from './base64.js';
import { formFile } from './multipart.js';

interface ImageLimits {
  MAX_IMAGE_BYTES: number;
  MAX_IMAGE_PIXELS: number;
}

/** The file in field `image` of a form. */
export async function formImage(request: Request, limits: ImageLimits): Promise<Buffer> {
  const { bytes } = formFile(request, 'image');
  await inspectImage(bytes, limits);
  return bytes;
}

/** Decodes and checks an image in base64, alone or in a `data:` URL. `field` names it in errors. */
export async function decodeImage(text: string, field: string, limits: ImageLimits): Promise<Buffer> {
  if (/^\s{0,100}https?:\/\//i.test(text)) {
    throw invalid(field, 'expected the image itself in base64; addresses are not fetched');
  }
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw invalid(field, 'expected base64, or a data: URL with base64');
  await inspectImage(bytes, limits);
  return bytes;
}

function invalid(field: string, detail: string): Problem {
  return new Problem('invalid_request', `${field}: ${detail}`, { errors: [{ field, detail }] });
}
