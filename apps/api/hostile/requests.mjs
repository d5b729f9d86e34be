/**
 * Requests that were sent, or would be, to take the service down. Each is small for its sender and was, or could be,
 * large for the service. Their group says what they have in common.
 */
import { deflateSync } from 'node:zlib';
import { hostileAvifAndTiff } from './avif-and-tiff.mjs';
import { hostileImages } from './images.mjs';
import { IMAGE, MIB, bytes, hostile, pixel, texts } from './parts.mjs';
import { bare, form, formPart, head, json } from './wire.mjs';

/** @typedef {import('./parts.mjs').Hostile} Hostile */

const POSTS = ['/classify', '/search/image', '/search/vector', '/embed', '/images', '/imports'];
const GETS = ['/search', '/images', '/imports', '/metrics', '/problems', '/docs', '/', '/nothing'];

const inputs = pixel.toString('base64');
const image = formPart('image', pixel, IMAGE);

/** @param {unknown} parameters @param {string} [given] */
const classify = (parameters, given = inputs) =>
  json('/classify', JSON.stringify({ inputs: given, parameters }));

/** @returns {Hostile[]} */
function fieldNames() {
  const names = [
    'labels[99999999]',
    'labels[1e9][]',
    'a[b][c][d]',
    'labels.length',
    '__proto__',
    'constructor',
  ];
  names.push('__proto__[x]', 'labels[__proto__][x]', 'x'.repeat(10_000), '[', '[]', '', '\u0000', 'image[0]');
  return [
    ...names.flatMap((name) =>
      ['/classify', '/images', '/embed', '/search/image'].map((path) =>
        hostile(`form field ${name.slice(0, 24)} to ${path}`, () => form(path, [formPart(name, 'x'), image])),
      ),
    ),
    hostile('a form of 100,000 empty parts', () =>
      form('/images', texts(100_000, () => '--b\r\n\r\n\r\n').map(bytes)),
    ),
    hostile('a form of 100,000 fields', () =>
      form(
        '/classify',
        texts(100_000, () => '').map((t) => formPart('labels', t)),
      ),
    ),
    hostile('a form of 10,000 files', () =>
      form(
        '/images',
        texts(10_000, () => '').map((t) => formPart('image', t, IMAGE)),
      ),
    ),
    hostile('a nested form', () =>
      form('/images', [formPart('image', 'x', '"\r\nContent-Type: multipart/mixed; boundary=c')]),
    ),
    hostile('a part with 2,000 headers', () =>
      form('/images', [formPart('image', 'x', `\r\n${'a: b\r\n'.repeat(2000)}c: d`)]),
    ),
    hostile('a part with a header of 1 MB', () =>
      form('/images', [formPart('image', 'x', `\r\nx: ${'y'.repeat(MIB)}`)]),
    ),
    hostile('a file name of 1 MB', () =>
      form('/images', [formPart('image', 'x', `; filename="${'y'.repeat(MIB)}"`)]),
    ),
    hostile('a boundary of 10,000 characters', () =>
      form('/images', [], { 'Content-Type': `multipart/form-data; boundary=${'b'.repeat(10_000)}` }),
    ),
    hostile('a form without a boundary', () =>
      form('/images', [image], { 'Content-Type': 'multipart/form-data' }),
    ),
    hostile('a body of near-boundaries', () =>
      form('/images', [formPart('image', '\r\n--'.repeat(MIB), IMAGE)]),
    ),
  ];
}

/** @returns {Hostile[]} */
function jsonBodies() {
  const bodies = {
    'open brackets': '['.repeat(20 * MIB),
    'nested objects': '{"a":'.repeat(MIB),
    ones: `[${'1,'.repeat(10 * MIB)}1]`,
    'empty strings': `{"vector":[${'"",'.repeat(2 * MIB)}1]}`,
    keys: `{${texts(300_000, (n) => `"k${n}":1`).join()}}`,
    'one key again and again': `{${texts(300_000, () => '"texts":["a"]').join()}}`,
    'a number of 10 MB': `{"vector":[${'1'.repeat(10 * MIB)}]}`,
    escapes: `{"inputs":"${'\\u0041'.repeat(3 * MIB)}"}`,
    'white space': ' '.repeat(20 * MIB),
    'a prototype': '{"__proto__":{"texts":["a"]},"constructor":{"prototype":{"x":1}}}',
    'unknown keys': `{"parameters":{${texts(900, (n) => `"${'k'.repeat(900)}${n}":1`).join()}}}`,
    'invalid UTF-8': Buffer.concat([Buffer.from('{"texts":["'), Buffer.alloc(MIB, 0xff), Buffer.from('"]}')]),
  };
  const paths = ['/classify', '/search/image', '/search/vector', '/embed', '/imports'];
  return Object.entries(bodies).flatMap(([name, body]) =>
    paths.map((path) => hostile(`JSON of ${name} to ${path}`, () => json(path, body))),
  );
}

/** @returns {Hostile[]} */
function longTexts() {
  const parameters = { candidate_labels: ['a', 'b'] };
  const spaces = ' '.repeat(100_000);
  return [
    hostile('base64 with 100,000 spaces and a stray sign', () => classify(parameters, `${spaces}!`)),
    hostile('base64 of 20 MB that ends wrongly', () =>
      classify(parameters, `${'A'.repeat(20 * MIB)}${spaces}!`),
    ),
    hostile('base64 of 20 MB of white space', () => classify(parameters, ' \n'.repeat(10 * MIB))),
    hostile('base64 of 20 MB of padding', () => classify(parameters, `A${'='.repeat(20 * MIB)}`)),
    hostile('data: again and again', () => classify(parameters, 'data:;base64,'.repeat(MIB))),
    hostile('2,000,000 candidate labels', () => classify({ candidate_labels: texts(2_000_000, () => 'a') })),
    hostile('2,000,000 labels with commas', () => classify({ candidate_labels: 'a,'.repeat(2_000_000) })),
    hostile('2,000,000 labels in one field', () =>
      form('/classify', [image, formPart('labels', `[${'"a",'.repeat(200_000)}"a"]`)]),
    ),
    hostile('1,000 labels × 1,000 characters × 500 places', () =>
      classify({
        candidate_labels: texts(1000, (n) => `${n}${'x'.repeat(990)}`),
        hypothesis_template: '{}'.repeat(500),
      }),
    ),
    hostile('1,000 labels of 1,000 characters', () =>
      classify({ candidate_labels: texts(1000, (n) => `${n} ${'x '.repeat(490)}`) }),
    ),
    hostile('a template of places', () =>
      classify({ candidate_labels: ['a'.repeat(1000)], hypothesis_template: '{}'.repeat(500) }),
    ),
    hostile('256 long texts', () =>
      json('/embed', JSON.stringify({ texts: texts(256, (n) => `${n}${'é'.repeat(990)}`) })),
    ),
    hostile('texts that normalise to far more', () =>
      json('/embed', JSON.stringify({ texts: texts(256, (n) => `${n}${'\ufdfa'.repeat(990)}`) })),
    ),
    hostile('texts of combining marks', () =>
      json('/embed', JSON.stringify({ texts: texts(256, (n) => `${n}a${'\u0301\u0316'.repeat(490)}`) })),
    ),
    hostile('a query of 100,000 characters', () => bare('GET', `/search?q=${'a'.repeat(100_000)}`)),
    hostile('a query of spaces', () => bare('GET', `/search?q=${'%20'.repeat(4000)}!`)),
    hostile('1,000 tags', () => bare('GET', `/search?q=a${'&tag=a'.repeat(1000)}`)),
    hostile('nested query names', () => bare('GET', `/search?q=a${'&a[b][c][d][e]=1'.repeat(500)}`)),
    hostile('the last page there could be', () => bare('GET', '/search?q=a&limit=100&offset=1000000000')),
    hostile('numbers that are none', () => bare('GET', '/search?q=a&limit=1e308&offset=-0&minScore=NaN')),
    hostile('a vector of huge numbers', () =>
      json('/search/vector', `{"vector":[${texts(4, () => '1e308').join()}]}`),
    ),
    hostile('a vector of numbers beyond all', () => json('/search/vector', '{"vector":[1e999,1,1,1]}')),
    hostile('percent signs', () => bare('GET', `/images/${'%'.repeat(4000)}`)),
    hostile('dots and slashes', () => bare('GET', `/${'../'.repeat(2000)}etc/passwd`)),
    hostile('a problem code that is long', () => bare('GET', `/problems/${'%F0%9F%98%80'.repeat(300)}`)),
  ];
}

/** @returns {Hostile[]} */
function unreadBodies() {
  const large = Buffer.alloc(100 * MIB, 'a');
  const type = { 'Content-Type': 'application/json' };
  return [
    ...[...POSTS, '/nothing'].map((path) =>
      hostile(`100 MB to ${path}`, () => ({
        parts: [head('POST', path, { ...type, 'Content-Length': large.length }), large],
      })),
    ),
    hostile('100 MB in chunks to /imports', () => ({
      parts: [head('POST', '/imports', { ...type, 'Transfer-Encoding': 'chunked' }), ...chunked(large)],
    })),
    hostile('100 MB with a GET', () => ({
      parts: [head('GET', '/search?q=a', { 'Content-Length': large.length }), large],
    })),
    hostile('20 half-sent forms of 60 MB', () => {
      const start = head('POST', '/images', {
        'Content-Type': 'multipart/form-data; boundary=b',
        'Content-Length': 63 * MIB,
      });
      // All of them send the same bytes: 1.2 GB of copies would cost more than the service does.
      const image = formPart('image', large.subarray(0, 19 * MIB), IMAGE);
      return texts(20, () => '').map(() => ({
        parts: [start, image, image, image],
        unfinished: true,
        patience: 3000,
      }));
    }),
    hostile('200 bodies that never come', () =>
      texts(200, () => '').map(() => ({
        parts: [head('POST', '/classify', { ...type, 'Content-Length': 27 * MIB }), '{"inputs": "'],
        unfinished: true,
        patience: 600,
      })),
    ),
    hostile('a body in 100,000 chunks of one byte', () => ({
      parts: [
        head('POST', '/embed', { ...type, 'Transfer-Encoding': 'chunked' }),
        '1\r\nx\r\n'.repeat(100_000),
        '0\r\n\r\n',
      ],
    })),
    hostile('a gzipped body', () =>
      json('/embed', deflateSync(Buffer.alloc(MIB)), { 'Content-Encoding': 'gzip' }),
    ),
    hostile('another charset', () =>
      json('/embed', '{"texts":["a"]}', { 'Content-Type': 'application/json; charset=utf-16' }),
    ),
    hostile('two lengths', () => ({
      parts: [`POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
    })),
    hostile('a length and chunks', () => ({
      parts: [head('POST', '/embed', { 'Content-Length': 3, 'Transfer-Encoding': 'chunked' }), '0\r\n\r\n'],
    })),
    hostile('a length that is none', () => ({
      parts: [head('POST', '/embed', { ...type, 'Content-Length': '-1' }), 'x'],
    })),
    hostile('another expectation', () => ({
      parts: [head('POST', '/embed', { ...type, 'Content-Length': 1, Expect: 'money' }), 'x'],
    })),
  ];
}

/** @returns {Hostile[]} */
function protocol() {
  return [
    hostile('5,000 requests in one write', () => ({
      parts: [head('GET', '/search?q=a').repeat(5000)],
      patience: 5000,
    })),
    hostile('2,000 headers', () =>
      bare('GET', '/healthz', Object.fromEntries(texts(2000, (n) => `x${n}`).map((n) => [n, 1]))),
    ),
    hostile('a header of 100,000 characters', () => bare('GET', '/healthz', { x: 'y'.repeat(100_000) })),
    hostile('an upgrade', () => bare('GET', '/', { Connection: 'Upgrade', Upgrade: 'websocket' })),
    hostile('CONNECT', () => bare('CONNECT', 'example.org:443')),
    hostile('a method that is none', () => bare('BREW', '/')),
    hostile('no HTTP at all', () => ({ parts: ['\u0016\u0003\u0001\u0002\u0000\u0001\u0000'] })),
    hostile('300 connections that say nothing', () =>
      texts(300, () => '').map(() => ({ parts: [''], unfinished: true, patience: 300 })),
    ),
    ...GETS.flatMap((path) =>
      ['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE'].map((method) =>
        hostile(`${method} ${path}`, () => bare(method, path)),
      ),
    ),
  ];
}

/** Every one, in groups that belong together. @returns {Hostile[]} */
export function hostileRequests() {
  return [
    ...fieldNames(),
    ...jsonBodies(),
    ...longTexts(),
    ...unreadBodies(),
    ...protocol(),
    ...hostileImages(),
    ...hostileAvifAndTiff(),
  ];
}

/** @param {Buffer} body */
function chunked(body) {
  const size = MIB;
  const parts = [];
  for (let at = 0; at < body.length; at += size) {
    parts.push(
      Buffer.concat([bytes(`${size.toString(16)}\r\n`), body.subarray(at, at + size), bytes('\r\n')]),
    );
  }
  return [...parts, bytes('0\r\n\r\n')];
}
