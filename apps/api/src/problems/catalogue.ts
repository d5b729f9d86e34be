/**
 * Every error that the API answers with: a stable code, its HTTP status and its title (RFC 9457).
 * Clients branch on the code, so a code never changes its meaning.
 */
import { z } from 'zod';

/** code → status and title. The `type` of a problem is `/problems/<code>`. */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'A field of the request is missing or not valid' },
  malformed_request: { status: 400, title: 'The request is not valid HTTP' },
  malformed_body: { status: 400, title: 'The body cannot be parsed' },
  invalid_vector: { status: 400, title: 'The vector does not fit the model' },
  unauthorized: { status: 401, title: 'A valid API key is needed' },
  import_forbidden: { status: 403, title: 'The path is not below a folder that imports may read' },
  insufficient_scope: { status: 403, title: 'The API key may not do this' },
  cross_site_request: { status: 403, title: 'Pages of other sites may only send GET requests' },
  method_not_allowed: { status: 405, title: 'The route does not take this method' },
  route_not_found: { status: 404, title: 'There is no such route' },
  image_not_found: { status: 404, title: 'There is no such image' },
  collection_not_found: { status: 404, title: 'There is no such collection' },
  label_set_not_found: { status: 404, title: 'There is no such label set' },
  import_not_found: { status: 404, title: 'There is no such import' },
  model_not_found: { status: 404, title: 'There is no such model' },
  demo_off: { status: 404, title: 'The service does not send its model to browsers' },
  problem_not_found: { status: 404, title: 'There is no such problem code' },
  request_too_slow: { status: 408, title: 'The request came too slowly' },
  body_too_slow: { status: 408, title: 'The body of the request came too slowly' },
  conflict: { status: 409, title: 'The request conflicts with a change made at the same time' },
  model_in_use: { status: 409, title: 'Search is using this model' },
  model_unavailable: { status: 409, title: 'The files of the model are missing' },
  import_state: { status: 409, title: 'The import cannot do this in its current state' },
  precondition_failed: {
    status: 412,
    title: 'The image is not the one, or not the revision, that the request expects',
  },
  request_too_costly: { status: 413, title: 'The request asks for more computing than one request may' },
  request_too_large: { status: 413, title: 'The request body is too large' },
  image_too_large: { status: 413, title: 'An image file has too many bytes' },
  too_many_pixels: { status: 413, title: 'An image has too many pixels' },
  too_costly_to_decode: { status: 413, title: 'Decoding an image would take too much memory' },
  too_many_files: { status: 413, title: 'The request has too many images' },
  unsupported_media_type: { status: 415, title: 'The content type of the request is not supported' },
  unsupported_image_format: { status: 415, title: 'The image format is not supported' },
  range_not_satisfiable: { status: 416, title: 'The file has no such range' },
  host_not_allowed: { status: 421, title: 'The service does not answer to this host name' },
  undecodable_image: { status: 422, title: 'An image cannot be decoded' },
  import_unreadable: { status: 422, title: 'The folder holds nothing that can be imported' },
  rate_limited: { status: 429, title: 'Too many requests, or too much computing, for this key or address' },
  headers_too_large: { status: 431, title: 'The request has too many header fields, or too long ones' },
  internal_error: { status: 500, title: 'The server failed' },
  overloaded: { status: 503, title: 'The server is working at capacity' },
  database_unavailable: { status: 503, title: 'The database does not answer' },
  storage_unavailable: { status: 503, title: 'The data folder cannot be read or written' },
  not_ready: { status: 503, title: 'The server is still starting or already stopping' },
  storage_full: { status: 507, title: 'The disk of the server is full' },
} as const satisfies Record<string, { status: number; title: string }>;

/** A stable error code; the keys of {@link PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS;

/** True when `code` is in the catalogue. */
export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}

/** One part of the request that is wrong. */
const fieldErrorSchema = z.object({
  field: z.string().describe('Where: a path such as `parameters.candidate_labels.0`'),
  detail: z.string(),
  code: z.string().optional(),
});
export type FieldError = z.infer<typeof fieldErrorSchema>;

/** The body of every error: `application/problem+json`, RFC 9457. */
export const problemSchema = z
  .object({
    type: z.string().describe('`/problems/<code>`, which explains the code'),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string().describe('What happened, what was expected, what to do'),
    instance: z.string().describe('The path of the request'),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem' });
export type ProblemBody = z.infer<typeof problemSchema>;
