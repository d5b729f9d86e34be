import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { invalidRequest } from './problem.js';
import { toProblem } from './translate.js';

/** An error as Node's file system throws it. */
const systemError = (code: string, syscall: string) =>
  Object.assign(new Error(`${code}: what libuv says of it, ${syscall} '/data/images/x'`), { code, syscall });

describe('errors of the file system', () => {
  it.each([
    ['ENOSPC', 'write', 'storage_full'],
    ['EDQUOT', 'write', 'storage_full'],
    ['EDQUOT', 'mkdir', 'storage_full'],
    ['EACCES', 'open', 'storage_unavailable'],
    ['EROFS', 'open', 'storage_unavailable'],
    ['ENOENT', 'mkdir', 'storage_unavailable'],
    ['ENOENT', 'open', 'internal_error'],
  ])('have a code of their own: %s of %s is %s', (code, syscall, expected) => {
    const thrown = systemError(code, syscall);
    expect(toProblem(thrown).code).toBe(expected);
    expect(toProblem(new Error('an upload failed', { cause: thrown })).code).toBe(expected);
  });

  it('say nothing of where on the server they happened', () => {
    expect(toProblem(systemError('EDQUOT', 'write')).toBody('/images').detail).not.toContain('/data');
    expect(toProblem(systemError('EACCES', 'open')).toBody('/images').detail).not.toContain('/data');
  });
});

describe('errors of the database', () => {
  it.each([
    ['could not extend file "base/1/2": Disk quota exceeded (EDQUOT)', 'storage_full'],
    ['53100: could not extend file', 'storage_full'],
    ['connect ECONNREFUSED 127.0.0.1:5432', 'database_unavailable'],
    ['syntax error at or near "SELEC"', 'internal_error'],
  ])('are told by what the driver says: %s', (message, expected) => {
    const error = Object.assign(new Error(message), { name: 'PrismaClientUnknownRequestError' });
    expect(toProblem(error).code).toBe(expected);
  });
});

describe('input that a schema refuses', () => {
  it('is answered with each field that is missing or wrong', () => {
    const schema = z.strictObject({ path: z.string(), words: z.array(z.string()), limit: z.int().max(9) });
    const { error } = schema.safeParse({ pth: 'x', limit: 10 });
    expect(invalidRequest(error!.issues).message).toBe(
      'path: missing; words: missing; limit: Too big: expected number to be <=9; Unrecognized key: "pth"',
    );
  });
});
