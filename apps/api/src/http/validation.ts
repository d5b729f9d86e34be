/** Checks input against a Zod schema and answers `invalid_request` with every field that is wrong. */
import { StandardSchemaValidationPipe } from '@nestjs/common';
import type { z } from 'zod';
import { invalidRequest } from '../problems/problem.js';

/** Checks what handlers declare with `@Query({ schema })`, `@Body({ schema })` or `@Param({ schema })`. */
export function validationPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({ exceptionFactory: invalidRequest });
}

/** The checked value, for bodies whose schema depends on the content type. Throws `invalid_request`. */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error.issues);
  return result.data;
}
