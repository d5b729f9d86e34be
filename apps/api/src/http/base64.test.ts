import { describe, expect, it } from 'vitest';
import { decodeBase64 } from './base64.js';

/** Bytes whose base64 has every symbol that differs between the two alphabets, and padding. */
const bytes = Buffer.from([0xfb, 0xff, 0xbf, 0xff, 0x00, 0x10, 0xfe]);
const standard = bytes.toString('base64');

describe('base64 of an image', () => {
  it.each([
    ['plain', standard],
    ['in the alphabet for URLs', bytes.toString('base64url')],
    ['without padding', standard.replaceAll('=', '')],
    ['in lines, with spaces around it', ` ${standard.slice(0, 4)}\r\n${standard.slice(4)}\n `],
    ['with whitespace within the padding', standard.replace('==', '= =')],
    ['in a data: URL', `data:image/png;base64,${standard}`],
    ['in a data: URL with parameters', `data:image/png;charset=utf-8;name="a b.png";base64,${standard}`],
    ['in a data: URL without a media type', `data:;base64,${standard}`],
    ['in a data: URL in capitals, after a space', ` DATA:image/png;BASE64,${standard}`],
    ['in a data: URL that is percent-encoded', `data:image/png;base64,${encodeURIComponent(standard)}`],
  ])('is read %s', (_how, text) => {
    expect(decodeBase64(text)).toEqual(bytes);
  });

  it.each([
    ['nothing', ''],
    ['whitespace', ' \n'],
    ['padding alone', '=='],
    ['another alphabet', 'abc$'],
    ['padding in the middle', 'ab==cd'],
    ['one symbol', 'A'],
    ['a data: URL that is not base64', 'data:image/svg+xml,<svg/>'],
    ['a data: URL without an end of its header', 'data:image/png;base64'],
    ['a broken percent sign', 'data:image/png;base64,%E0%A4%A'],
  ])('is not %s', (_what, text) => {
    expect(decodeBase64(text)).toBeUndefined();
  });

  it.each([
    ['spaces before an end that is none', `${' '.repeat(4_000_000)}!`],
    ['padding before an end that is none', `${'='.repeat(4_000_000)}!`],
    ['a header without an end', `data:${';base64'.repeat(500_000)}`],
    ['whitespace in lines', 'QUJD \n'.repeat(700_000)],
  ])('is read in time that grows with its length: %s', (_what, text) => {
    const start = performance.now();
    decodeBase64(text);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
