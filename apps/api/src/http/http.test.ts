import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { filledFields, stringListSchema } from './fields.js';
import { cleanFileName } from './body/file-name.js';
import { parseInput } from './validation.js';

describe('file names of uploads', () => {
  it.each([
    ['photo.jpg', 'photo.jpg'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\cat.png', 'cat.png'],
    ['a\u0000b\n.png', 'ab.png'],
    ['', null],
    ['x'.repeat(300), 'x'.repeat(255)],
  ])('become harmless: %j', (given, kept) => {
    expect(cleanFileName(given)).toBe(kept);
  });
});

describe('a list of strings in a form', () => {
  it.each([
    ['a, b', ['a, b']],
    ['["a","b"]', ['a', 'b']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  ])('may be %j', (given, expected) => {
    expect(parseInput(stringListSchema(2), given)).toEqual(expected);
  });

  it.each(['["a"', '[1]', 5, '["a",["b"]]', `[${'"a",'.repeat(1000)}"a"]`])('may not be %j', (given) => {
    expect(() => parseInput(stringListSchema(2), given)).toThrow();
  });
});

describe('the fields of a form', () => {
  it('count as absent when they are empty', () => {
    const form = { threshold: '', labels: ['a', '', 'b'], tags: ['', ''], image: '', top_k: '0', note: ' ' };
    expect(filledFields(form)).toEqual({ labels: ['a', 'b'], top_k: '0', note: ' ' });
    expect(filledFields(undefined)).toEqual({});
  });
});

describe('input that a schema refuses', () => {
  it('is answered with the path of every field that is wrong', () => {
    const schema = z.strictObject({ a: z.object({ b: z.array(z.number()) }), c: z.string() });
    expect(() => parseInput(schema, { a: { b: [1, 'x'] }, d: 1 })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        errors: [
          expect.objectContaining({ field: 'a.b.1' }),
          expect.objectContaining({ field: 'c' }),
          expect.objectContaining({ field: '' }),
        ],
      }) as Error,
    );
  });
});
