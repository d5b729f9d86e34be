/** The one image of a request: a file of the form, or base64 text of a JSON body. Checked before it is used. */
import type { Request } from 'express';
import { inspectImage } from '../image-file/image-format.js';
import { Problem } from '../problems/problem.js';
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

/** Decodes and checks an image in base64, with or without a `data:` prefix. `field` names it in errors. */
export async function decodeImage(text: string, field: string, limits: ImageLimits): Promise<Buffer> {
  if (/^https?:\/\//i.test(text)) {
    throw invalid(field, 'expected the image itself in base64; addresses are not fetched');
  }
  const base64 = text.replace(/^data:[\w.+/-]*;base64,/i, '');
  if (base64 === '' || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(base64)) {
    throw invalid(field, 'expected base64');
  }
  const bytes = Buffer.from(base64, 'base64');
  await inspectImage(bytes, limits);
  return bytes;
}

function invalid(field: string, detail: string): Problem {
  return new Problem('invalid_request', `${field}: ${detail}`, { errors: [{ field, detail }] });
}
