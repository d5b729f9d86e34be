/**
 * Requests made from the OpenAPI document: each route with its parameters and bodies, then broken in one or two
 * places (types, sizes, nesting, encodings, names). The same seed gives the same requests.
 */
import { form, formPart, head, json } from './wire.mjs';

/** @typedef {import('./wire.mjs').Exchange} Exchange */
/** @typedef {Record<string, any>} Schema */
/** @typedef {{ next: () => number, pick: <T>(list: readonly T[]) => T, chance: (share: number) => boolean }} Random */

/** @type {unknown[]} */
const VALUES = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1e308,
    -1e-308,
    2 ** 53,
    '',
    ' ',
    'a',
    'null',
    '0',
    'NaN',
    '1e999',
    '[]',
    '{}',
  ],
  ...[
    '\u0000',
    '\ud800',
    '\ufdfa'.repeat(300),
    '🏳️‍🌈'.repeat(50),
    "' OR 1=1 --",
    '<script>',
    '../../etc/passwd',
    '%00',
    '{}{}{}',
  ],
  ...[
    'x'.repeat(5000),
    ',,,,,',
    '[[[[',
    '["a",["b"]]',
    'data:;base64,',
    'http://127.0.0.1/',
    [],
    {},
    [[]],
    [null],
    [[[[[[]]]]]],
  ],
  ...[
    { a: { a: { a: { a: {} } } } },
    Array(300).fill('a'),
    Array(300).fill(0),
    { __proto__: null, toString: 1, length: -1 },
  ],
];
const NAMES = [
  '__proto__',
  'constructor',
  'a[b]',
  'a[]',
  'a.b',
  '',
  ' ',
  'LABELS',
  'labels[0]',
  'x'.repeat(200),
  '\u00e9',
  '$where',
];
const TYPES = [
  'application/json',
  'application/json; charset=latin1',
  'text/plain',
  'multipart/form-data',
  '',
  'x',
  'application/json;'.repeat(50),
];

/** A small generator of numbers in 0 … 1 (mulberry32). @param {number} seed @returns {Random} */
function random(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    pick: (list) => /** @type {any} */ (list[Math.floor(next() * list.length)]),
    chance: (share) => next() < share,
  };
}

/**
 * @param {Schema} document An OpenAPI document.
 * @param {{ count: number, seed: number }} options
 * @returns {Generator<{ name: string, exchange: Exchange }>}
 */
export function* generatedRequests(document, { count, seed }) {
  const dice = random(seed);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(/** @type {Schema} */ (methods)).map(([method, operation]) => ({
      path,
      method,
      operation,
    })),
  );
  for (let n = 0; n < count; n++) {
    const { path, method, operation } = operations[n % operations.length] ?? dice.pick(operations);
    yield { name: `${n} ${method} ${path}`, exchange: build(document, path, method, operation, dice) };
  }
}

/** @param {Schema} document @param {string} path @param {string} method @param {Schema} operation @param {Random} dice @returns {Exchange} */
function build(document, path, method, operation, dice) {
  const query = [];
  let address = path;
  for (const parameter of operation.parameters ?? []) {
    const value = dice.chance(0.4) ? dice.pick(VALUES) : sample(document, parameter.schema ?? {}, dice, 0);
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encode(value) || '0');
    else if (parameter.in === 'query' && dice.chance(0.7)) query.push(`${parameter.name}=${encode(value)}`);
  }
  if (dice.chance(0.2)) query.push(`${encode(dice.pick(NAMES))}=${encode(dice.pick(VALUES))}`);
  if (dice.chance(0.1) && query.length > 0) query.push(...Array(50).fill(query[0]));
  if (query.length > 0) address += `?${query.join('&')}`;
  const contents = Object.entries(operation.requestBody?.content ?? {});
  const content = contents.length > 0 ? dice.pick(contents) : undefined;
  if (content === undefined) return plain(method, address, dice);
  const [type, { schema }] = content;
  const body = sample(document, schema ?? {}, dice, 0);
  const exchange = type.startsWith('multipart')
    ? formOf(address, body, dice)
    : jsonOf(method.toUpperCase(), address, body, dice);
  return dice.chance(0.15) ? damaged(exchange, dice) : exchange;
}

/** @param {string} method @param {string} address @param {Random} dice @returns {Exchange} */
function plain(method, address, dice) {
  if (dice.chance(0.9)) return { parts: [head(method.toUpperCase(), address.slice(0, 12_000))] };
  return {
    parts: [
      head(dice.pick(['POST', 'PUT', 'DELETE', 'HEAD']), address.slice(0, 12_000), { 'Content-Length': 5 }),
      'aaaaa',
    ],
  };
}

/** A value that the schema allows, or one that it does not. @param {Schema} document @param {Schema} schema @param {Random} dice @param {number} depth @returns {any} */
function sample(document, schema, dice, depth) {
  if (dice.chance(0.12) || depth > 6) return dice.pick(VALUES);
  if (schema.$ref)
    return sample(
      document,
      document.components.schemas[schema.$ref.split('/').at(-1)] ?? {},
      dice,
      depth + 1,
    );
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return sample(document, dice.pick(choices), dice, depth + 1);
  if (schema.enum) return dice.pick(schema.enum);
  if (schema.type === 'object') {
    /** @type {Record<string, unknown>} */
    const value = {};
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      if (dice.chance(0.8)) value[name] = sample(document, child, dice, depth + 1);
    }
    if (dice.chance(0.1)) value[dice.pick(NAMES)] = dice.pick(VALUES);
    return value;
  }
  if (schema.type === 'array') {
    const size = dice.pick([0, 1, 2, 5, 40]);
    return Array.from({ length: size }, () => sample(document, schema.items ?? {}, dice, depth + 1));
  }
  if (schema.type === 'integer' || schema.type === 'number') return dice.pick([0, 1, 2, 10, 100, 0.5, -1]);
  if (schema.type === 'boolean') return dice.chance(0.5);
  return dice.pick(['red', 'a photo of a {}', 'blue, green', 'val2017', PIXEL]);
}

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

/** @param {string} method @param {string} address @param {any} body @param {Random} dice */
function jsonOf(method, address, body, dice) {
  /** @type {Record<string, string>} */
  const headers = dice.chance(0.1) ? { 'Content-Type': dice.pick(TYPES) } : {};
  return json(address.slice(0, 12_000), JSON.stringify(body) ?? '', headers, method);
}

/** @param {string} address @param {any} body @param {Random} dice */
function formOf(address, body, dice) {
  const fields = Object.entries(typeof body === 'object' && body !== null ? body : { a: body }).flatMap(
    ([name, value]) =>
      [value].flat(1).map((one) => {
        const text = typeof one === 'string' ? one : (JSON.stringify(one) ?? '');
        const isFile = name.startsWith('image') !== dice.chance(0.1);
        const bytes = isFile && dice.chance(0.8) ? Buffer.from(PIXEL, 'base64') : text;
        const safe = name.replace(/["\r\n]/g, '_');
        return formPart(safe, bytes, isFile ? '; filename="a.png"\r\nContent-Type: image/png' : '');
      }),
  );
  return form(address.slice(0, 12_000), fields);
}

/** Cuts, doubles or changes a part of what is sent. @param {Exchange} exchange @param {Random} dice @returns {Exchange} */
function damaged({ parts }, dice) {
  const [first = '', ...rest] = parts;
  const body = Buffer.concat(rest.map((part) => Buffer.from(part)));
  const at = Math.floor(dice.next() * body.length);
  const changed = Buffer.from(body);
  if (changed.length > 0) changed[at] = Math.floor(dice.next() * 256);
  const kinds = [
    { parts: [first, body.subarray(0, at)], unfinished: true, patience: 200 },
    { parts: [first, changed] },
    { parts: [first, body, body] },
    {
      parts: [
        String(first).replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked'),
        `${body.length.toString(16)}\r\n`,
        body,
        '\r\n0\r\n\r\n',
      ],
    },
    { parts: [String(first).replace(/boundary=b/, 'boundary=c'), body] },
  ];
  return dice.pick(kinds);
}

/** @param {unknown} value */
function encode(value) {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return encodeURIComponent(text.toWellFormed?.() ?? text.replace(/\p{Surrogate}/gu, '?')).slice(0, 3000);
}
