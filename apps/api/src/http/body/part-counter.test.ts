import { describe, expect, it } from 'vitest';
import { PartCounter } from './part-counter.js';

const body =
  '--b\r\nA: 1\r\n\r\nx\r\n--b\r\n--b\r\n\r\n--c\r\n--bb\r\n --b\r\n\r\n--b\r\nB: 2\r\n\r\n\r\n--b--\r\n--b\r\n';

function count(text: string, size: number, contentType = 'multipart/form-data; boundary=b'): number {
  const counter = new PartCounter(contentType);
  for (let at = 0; at < text.length; at += size) counter.push(Buffer.from(text.slice(at, at + size)));
  return counter.count;
}

describe('the parts of a form', () => {
  it('are counted alike in whatever pieces the body comes', () => {
    const counts = Array.from({ length: body.length }, (_, n) => count(body, n + 1));
    expect(new Set(counts)).toEqual(new Set([5]));
  });

  it('are found by a boundary in quotes and by none', () => {
    expect(count('--a b\r\n\r\n--a b\r\n', 4, 'multipart/form-data; Boundary="a b"; charset=x')).toBe(2);
    expect(count(body, 4, 'multipart/form-data')).toBe(0);
  });
});
