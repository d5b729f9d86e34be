/** The service as a client meets it: real process, real model, real database. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freshDataFolder } from './support/data-folder.js';
import { colourPng } from './support/images.js';
import { TestServer, formRequest, jsonRequest } from './support/server.js';
import type { FormFields } from './support/server.js';
import { EMBEDDING_SIZE, writeTinyCheckpoint } from './support/tiny-checkpoint.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Label {
  label: string;
  score: number;
  similarity: number;
}
let folder: string;
let server: TestServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-api-'));
  server = await TestServer.start({
    CLIP_CHECKPOINT: await writeTinyCheckpoint(join(folder, 'checkpoint')),
    DATA_DIR: await freshDataFolder(join(folder, 'data')),
    MAX_IMAGE_BYTES: '200000',
    MAX_IMAGE_PIXELS: '40000',
    MAX_FILES: '4',
    MAX_REQUEST_BYTES: '500000',
    MAX_LABELS: '20',
    MAX_TEXT_LENGTH: '50',
  });
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await rm(folder, { recursive: true });
});

/** A red PNG of 40 × 30 pixels. */
const HUB_IMAGE =
  'iVBORw0KGgoAAAANSUhEUgAAACgAAAAeCAIAAADRv8uKAAAAKUlEQVR4nO3NoQ0AAAwCMP5/ensBh2lS31wysVnFYrFYLBaLxWKx' +
  'WFx5Pp2rjeB5c/4AAAAASUVORK5CYII=';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

describe('POST /classify', () => {
  it('takes a form with repeated labels and ranks them', async () => {
    const labels = await server.json<Label[]>(
      '/classify',
      formRequest({ image: await colourPng('red'), labels: ['blue', 'red', 'green'] }),
    );
    expect(labels[0]?.label).toBe('red');
    expect(labels[0]?.similarity).toBeCloseTo(1, 4);
    expect(labels.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    expect(labels.map(({ score }) => score)).toEqual(labels.map(({ score }) => score).sort((a, b) => b - a));
  });

  it('takes labels as a JSON array, a template, and a limit', async () => {
    const labels = await server.json<Label[]>(
      '/classify',
      formRequest({
        image: await colourPng('green'),
        labels: '["red","green","blue"]',
        hypothesis_template: 'something {} here',
        top_k: '2',
        multi_label: 'true',
      }),
    );
    expect(labels).toHaveLength(2);
    expect(labels[0]?.label).toBe('green');
  });

  it('takes JSON with the image in base64, with or without a data: prefix', async () => {
    const inputs = base64(await colourPng('blue'));
    const parameters = { candidate_labels: ['red', 'blue'] };
    const plain = await server.postJson<Label[]>('/classify', { inputs, parameters });
    const prefixed = await server.postJson<Label[]>('/classify', {
      inputs: `data:image/png;base64,${inputs}`,
      parameters,
    });
    expect(plain[0]?.label).toBe('blue');
    expect(prefixed).toEqual(plain);
  });

  it('answers none of the above when no label reaches the threshold', async () => {
    const body = {
      inputs: base64(await colourPng('red')),
      parameters: { candidate_labels: ['green', 'blue', 'cyan'], threshold: 0.99 },
    };
    const [only, ...rest] = await server.postJson<Label[]>('/classify', body);
    expect(only?.label).toBe('none of the above');
    expect(rest).toEqual([]);
  });

  it('counts a label given twice once', async () => {
    const form = formRequest({ image: await colourPng('red'), labels: ['red', 'blue', 'red'] });
    expect(await server.json<Label[]>('/classify', form)).toHaveLength(2);
  });

  it('gives the same answer to many requests at once as to each alone', async () => {
    const names = ['red', 'green', 'blue', 'yellow', 'cyan', 'magenta', 'white', 'black'];
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const form = formRequest({ image: await colourPng(names[n % 8]!), labels: names });
        return (await server.json<Label[]>('/classify', form))[0]?.label;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 40 }, (_, n) => names[n % 8]));
  });

  it('judges each label by itself with multi_label, however many others there are', async () => {
    const score = async (image: string, labels: string[], wanted: string) => {
      const form = formRequest({ image: await colourPng(image), labels, multi_label: 'on' });
      return (await server.json<Label[]>('/classify', form)).find(({ label }) => label === wanted)!.score;
    };
    const right = await score('red', ['red'], 'red');
    const wrong = await score('red', ['cyan'], 'cyan');
    expect(right).toBeGreaterThan(0.75);
    expect(wrong).toBeLessThan(0.01);
    expect(await score('red', ['cyan', 'blue', 'red'], 'red')).toBeCloseTo(right, 6);
    expect(await score('red', ['red', 'cyan'], 'cyan')).toBeCloseTo(wrong, 6);
  });

  it('adds the class of none of the labels on request, which wins when all are wrong', async () => {
    const inputs = base64(await colourPng('red'));
    const ask = (labels: string[], more: object = {}) =>
      server.postJson<Label[]>('/classify', {
        inputs,
        parameters: { candidate_labels: labels, background: true, ...more },
      });
    const wrong = await ask(['cyan', 'blue']);
    expect(wrong[0]?.label).toBe('none of the above');
    expect(wrong[0]!.score).toBeGreaterThan(0.9);
    expect(wrong.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    expect((await ask(['cyan', 'red'])).map(({ label }) => label)).toEqual([
      'red',
      'none of the above',
      'cyan',
    ]);
    const many = await ask(['cyan', 'blue'], { multi_label: true, top_k: 1 });
    expect(many).toEqual([
      {
        label: 'none of the above',
        score: expect.any(Number) as number,
        similarity: expect.any(Number) as number,
      },
    ]);
    const body = { inputs, parameters: { candidate_labels: ['a', 'none of the above'], background: true } };
    const problem = await server.problem('/classify', jsonRequest(body));
    expect(problem.errors).toEqual([
      expect.objectContaining({
        field: 'parameters.candidate_labels',
        detail: expect.stringMatching(/background/) as string,
      }),
    ]);
  });

  it('splits one text of labels at its commas, in a form and in JSON, and no element of an array', async () => {
    const image = await colourPng('red');
    const names = async (request: RequestInit) =>
      (await server.json<Label[]>('/classify', request)).map(({ label }) => label).sort();
    expect(await names(formRequest({ image, labels: 'red, blue,, green ' }))).toEqual([
      'blue',
      'green',
      'red',
    ]);
    expect(await names(formRequest({ image, labels: '["red, blue", "green"]' }))).toEqual([
      'green',
      'red, blue',
    ]);
    expect(await names(formRequest({ image, labels: ['red, blue', 'green'] }))).toEqual([
      'green',
      'red, blue',
    ]);
    const json = (candidate_labels: unknown) =>
      names(jsonRequest({ inputs: base64(image), parameters: { candidate_labels } }));
    expect(await json('red, blue')).toEqual(['blue', 'red']);
    expect(await json(['red, blue'])).toEqual(['red, blue']);
  });

  it.each([
    [{ multi_label: 'True' }],
    [{ multi_label: 'YES' }],
    [{ multi_label: '1' }],
    [{ multi_label: 'true', threshold: '', top_k: '', hypothesis_template: '', background: 'False' }],
    [{ multi_label: 'on', top_k: '50', background: 'off', threshold: '0' }],
  ] as [FormFields][])('reads the flags and numbers of forms: %j', async (fields) => {
    const image = await colourPng('red');
    const expected = await server.postJson<Label[]>('/classify', {
      inputs: base64(image),
      parameters: { candidate_labels: ['red', 'blue'], multi_label: true, top_k: null },
    });
    const form = formRequest({ image, labels: ['red', 'blue'], ...fields });
    expect(await server.json<Label[]>('/classify', form)).toEqual(expected);
  });

  // The bytes that huggingface_hub 2.4.0 (Python) and @huggingface/inference 4.13.30 (JavaScript) sent.
  it.each([
    [
      'huggingface_hub',
      `{"inputs": "${HUB_IMAGE}", "parameters": {"candidate_labels": ["red circle", "blue square"], "hypothesis_template": "a photo of a {}"}}`,
    ],
    [
      '@huggingface/inference',
      `{"inputs":{"image":"${HUB_IMAGE}"},"parameters":{"candidate_labels":["red circle","blue square"],"hypothesis_template":"a {}"}}`,
    ],
    [
      'options of the inference API',
      `{"inputs": "data:image/png;charset=utf-8;base64,${HUB_IMAGE}", "parameters": {"candidate_labels": "red circle, blue square"}, "options": {"use_cache": false, "wait_for_model": true}}`,
    ],
  ])('answers the clients of Hugging Face: %s', async (_client, body) => {
    const labels = await server.json<Label[]>('/classify', jsonText(body));
    expect(labels.map(({ label }) => label)).toEqual(['red circle', 'blue square']);
    expect(labels[0]!.score).toBeGreaterThan(0.9);
  });

  it.each([
    ['no labels', { parameters: { candidate_labels: [] } }, 'parameters.candidate_labels'],
    ['an empty label', { parameters: { candidate_labels: ['a', ' '] } }, 'parameters.candidate_labels.1'],
    [
      'too long a label',
      { parameters: { candidate_labels: ['x'.repeat(51)] } },
      'parameters.candidate_labels.0',
    ],
    [
      'too many labels',
      { parameters: { candidate_labels: Array(21).fill('a') } },
      'parameters.candidate_labels',
    ],
    [
      'a wrong template',
      { parameters: { candidate_labels: ['a'], hypothesis_template: 'x' } },
      'parameters.hypothesis_template',
    ],
    ['an unknown parameter', { parameters: { candidate_labels: ['a'], topk: 1 } }, 'parameters'],
    ['no parameters', {}, 'parameters'],
    ['an address', { inputs: 'http://127.0.0.1/x.png', parameters: { candidate_labels: ['a'] } }, 'inputs'],
    [
      'a flag that is none',
      { parameters: { candidate_labels: ['a'], multi_label: 'maybe' } },
      'parameters.multi_label',
    ],
    ['a number that is none', { parameters: { candidate_labels: ['a'], top_k: [1] } }, 'parameters.top_k'],
    ['an unknown option', { parameters: { candidate_labels: ['a'] }, options: { nothing: 1 } }, 'options'],
    ['what is not base64', { inputs: '%%%', parameters: { candidate_labels: ['a'] } }, 'inputs'],
  ])('refuses %s and names the field', async (_what, body, field) => {
    const inputs = base64(await colourPng('red'));
    const problem = await server.problem('/classify', jsonRequest({ inputs, ...body }));
    expect(problem.code).toBe('invalid_request');
    expect(problem.status).toBe(400);
    expect(problem.errors?.[0]?.field).toBe(field);
  });

  it('refuses a form without an image, with two, or with one in another field', async () => {
    const image = await colourPng('red');
    const codes = [];
    const forms: FormFields[] = [
      { labels: 'a' },
      { labels: 'a', image: [image, image] },
      { labels: 'a', photo: image },
    ];
    for (const fields of forms) {
      codes.push((await server.problem('/classify', formRequest(fields))).code);
    }
    expect(codes).toEqual(['invalid_request', 'invalid_request', 'invalid_request']);
  });
});

describe('images that cannot be used', () => {
  const cut = async () =>
    (
      await sharp(await rgbNoise(120))
        .jpeg()
        .toBuffer()
    ).subarray(0, 2000);
  it.each([
    ['rubbish', async () => Buffer.from('not an image'), 422, 'undecodable_image'],
    ['an empty file', async () => Buffer.alloc(0), 422, 'undecodable_image'],
    ['a JPEG that was cut off', cut, 422, 'undecodable_image'],
    [
      'SVG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      415,
      'unsupported_image_format',
    ],
    ['too many pixels', () => blank(300, 200), 413, 'too_many_pixels'],
    ['too many bytes', async () => Buffer.alloc(200_001, 1), 413, 'image_too_large'],
  ])('are refused: %s', async (_what, make, status, code) => {
    const image = new Uint8Array(await make());
    for (const path of ['/classify', '/images', '/search/image']) {
      const problem = await server.problem(
        path,
        formRequest({ image, ...(path === '/classify' && { labels: 'a' }) }),
      );
      expect([path, problem.status, problem.code]).toEqual([path, status, code]);
    }
  });

  it('do not fail other requests in the same batch', async () => {
    const bad = new Uint8Array(await cut());
    const good = await colourPng('cyan');
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const form = formRequest({ image: n % 2 ? good : bad, labels: ['cyan', 'red'] });
        return (await server.fetch('/classify', form)).status;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 20 }, (_, n) => (n % 2 ? 200 : 422)));
  });
});

describe('POST /embed', () => {
  it('gives one unit vector for each text', async () => {
    const { embeddings } = await server.postJson<{ embeddings: number[][] }>('/embed', {
      texts: ['red', 'blue sky'],
    });
    expect(embeddings).toHaveLength(2);
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  it('takes files, and refuses neither texts nor images', async () => {
    const form = formRequest({ image: [await colourPng('red'), await colourPng('blue')] });
    expect((await server.json<{ embeddings: number[][] }>('/embed', form)).embeddings).toHaveLength(2);
    expect((await server.problem('/embed', jsonRequest({}))).code).toBe('invalid_request');
  });
});

describe('requests that cannot be answered', () => {
  it.each([
    ['an unknown route', '/nothing', undefined, 404, 'route_not_found'],
    ['a method that a route does not have', '/search', { method: 'DELETE' }, 405, 'method_not_allowed'],
    ['no query', '/search', undefined, 400, 'invalid_request'],
    ['an empty query', '/search?q=%20', undefined, 400, 'invalid_request'],
    ['a query given twice', '/search?q=a&q=b', undefined, 400, 'invalid_request'],
    ['too long a query', `/search?q=${'x'.repeat(51)}`, undefined, 400, 'invalid_request'],
    ['a limit of 0', '/search?q=a&limit=0', undefined, 400, 'invalid_request'],
    ['a limit that is no number', '/search?q=a&limit=ten', undefined, 400, 'invalid_request'],
    ['a score that is no number', '/search?q=a&minScore=x', undefined, 400, 'invalid_request'],
    ['a negative offset', '/images?offset=-1', undefined, 400, 'invalid_request'],
    ['an unknown parameter', '/search?q=a&page=2', undefined, 400, 'invalid_request'],
    ['a broken path', '/images/%E0%A4%A', undefined, 400, 'malformed_body'],
    ['a vector of another length', '/search/vector', jsonRequest({ vector: [1, 2] }), 400, 'invalid_vector'],
    ['a vector of zeros', '/search/vector', jsonRequest({ vector: [0, 0, 0, 0] }), 400, 'invalid_vector'],
    ['a vector of texts', '/search/vector', jsonRequest({ vector: ['a'] }), 400, 'invalid_request'],
    [
      'a prototype in JSON',
      '/search/vector',
      jsonText('{"__proto__": {"vector": [1]}}'),
      400,
      'invalid_request',
    ],
    ['JSON that is no object', '/classify', jsonText('[]'), 400, 'invalid_request'],
    [
      'deep JSON',
      '/search/vector',
      jsonText('['.repeat(50_000) + ']'.repeat(50_000)),
      400,
      'invalid_request',
    ],
    [
      'broken JSON',
      '/search/vector',
      { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{' },
      400,
      'malformed_body',
    ],
    [
      'a broken form',
      '/classify',
      { method: 'POST', headers: { 'Content-Type': 'multipart/form-data' }, body: 'x' },
      400,
      'malformed_body',
    ],
    [
      'a form that was cut off',
      '/classify',
      {
        method: 'POST',
        headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
        body: '--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
      },
      400,
      'malformed_body',
    ],
    [
      'another content type',
      '/classify',
      { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'x' },
      415,
      'unsupported_media_type',
    ],
    [
      'text where JSON is needed',
      '/search/vector',
      { method: 'POST', body: '[1]' },
      415,
      'unsupported_media_type',
    ],
    ['no body', '/classify', { method: 'POST' }, 415, 'unsupported_media_type'],
    ['JSON where a form is needed', '/images', jsonRequest({}), 415, 'unsupported_media_type'],
    ['too large a body', '/classify', jsonRequest({ inputs: 'A'.repeat(600_000) }), 413, 'request_too_large'],
    ['no file', '/images', formRequest({ tags: 'a' }), 400, 'invalid_request'],
    ['an unknown field', '/images', formRequest({ title: 'a' }), 400, 'invalid_request'],
    ['an unknown import', '/imports/none', undefined, 404, 'import_not_found'],
    ['a NUL character in an id', '/imports/%00', undefined, 404, 'import_not_found'],
    ['a NUL character in a tag', '/search?q=a&tag=%00', undefined, 400, 'invalid_request'],
    ['a NUL character in a caption', '/images', formRequest({ captions: 'a\0b' }), 400, 'invalid_request'],
    ['an import while imports are off', '/imports', jsonRequest({ path: '/tmp' }), 403, 'import_forbidden'],
    ['an unknown problem', '/problems/none', undefined, 404, 'problem_not_found'],
  ] as [string, string, RequestInit | undefined, number, string][])(
    'are refused with a code: %s',
    async (_what, path, options, status, code) => {
      const problem = await server.problem(path, options);
      expect([problem.status, problem.code]).toEqual([status, code]);
    },
  );

  it.each([
    ['/images', 'PUT', 'GET, HEAD, POST, OPTIONS'],
    [`/images/${'0'.repeat(64)}`, 'POST', 'DELETE, GET, HEAD, OPTIONS'],
    ['/images/x/file', 'DELETE', 'GET, HEAD, OPTIONS'],
    ['/search/vector', 'GET', 'POST, OPTIONS'],
    ['/classify', 'HEAD', 'POST, OPTIONS'],
    ['/healthz', 'POST', 'GET, HEAD, OPTIONS'],
    ['/', 'POST', 'GET, HEAD, OPTIONS'],
    ['/app.js', 'DELETE', 'GET, HEAD, OPTIONS'],
    ['/docs', 'PATCH', 'GET, HEAD, OPTIONS'],
    ['/docs/?x=1', 'PUT', 'GET, HEAD, OPTIONS'],
    ['/openapi.json', 'POST', 'GET, HEAD, OPTIONS'],
  ])('are told which methods a path takes: %s %s', async (path, method, allow) => {
    const refused = await server.fetch(path, { method });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, allow]);
    if (method !== 'HEAD') expect(await refused.json()).toMatchObject({ code: 'method_not_allowed' });
    const asked = await server.fetch(path, { method: 'OPTIONS' });
    expect([asked.status, asked.headers.get('allow')]).toEqual([204, allow]);
  });

  it('may ask for the headers alone wherever they may read', async () => {
    for (const path of ['/', '/docs', '/openapi.json', '/healthz', '/images', '/search?q=red', '/app.css']) {
      const head = await server.fetch(path, { method: 'HEAD' });
      expect([path, head.status, await head.text()]).toEqual([path, 200, '']);
    }
    expect((await server.problem('/nothing', { method: 'PUT' })).code).toBe('route_not_found');
  });

  it('are refused when there are too many files', async () => {
    const image = await Promise.all([1, 2, 3, 4, 5].map((mark) => colourPng('white', mark)));
    const problem = await server.problem('/images', formRequest({ image }));
    expect([problem.status, problem.code]).toEqual([413, 'too_many_files']);
  });

  it('are refused when a body without announced length is too large', async () => {
    async function* files() {
      for (let n = 0; n < 4; n++) {
        yield Buffer.from(`\r\n--b\r\nContent-Disposition: form-data; name="image"; filename="${n}"\r\n\r\n`);
        for (let part = 0; part < 19; part++) yield Buffer.alloc(10_000, n);
      }
      yield Buffer.from('\r\n--b--\r\n');
    }
    const request: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
      body: files(),
      duplex: 'half',
    };
    const problem = await server.problem('/images', request);
    expect([problem.status, problem.code]).toEqual([413, 'request_too_large']);
  });

  it('are refused when a page of another site sends a change', async () => {
    const form = formRequest({ image: await colourPng('white') });
    const problem = await server.problem('/images', { ...form, headers: { 'Sec-Fetch-Site': 'cross-site' } });
    expect(problem.code).toBe('cross_site_request');
  });
});

describe('the pages of the service', () => {
  it('tell that it lives and is ready', async () => {
    expect(await server.json('/healthz')).toEqual({ status: 'ok' });
    expect(await server.json('/readyz')).toMatchObject({
      status: 'ready',
      model: { embeddingSize: EMBEDDING_SIZE },
      index: { kind: 'exact' },
      toReembed: 0,
    });
  });

  it('have metrics that count requests by route', async () => {
    const { items } = await server.json<{ items: { id: string }[] }>(
      '/images',
      formRequest({ image: await colourPng('magenta', 1) }),
    );
    await server.json(`/images/${items[0]!.id}`);
    for (let n = 0; n < 2; n++) await server.json('/search?q=magenta');
    const text = await (await server.fetch('/metrics')).text();
    expect(text).toMatch(/^http_requests_total\{method="GET",route="\/images\/:id",status="200"\} \d+$/m);
    expect(text).toMatch(/^text_cache_lookups_total\{result="hit"\} \d+$/m);
    expect(text).toMatch(/^index_images \d+$/m);
  });

  it('have an OpenAPI document with every route, its input and its errors', async () => {
    const document = await server.json<{
      openapi: string;
      paths: Record<
        string,
        Record<string, { parameters?: { name: string }[]; requestBody?: object; responses: object }>
      >;
      components: { schemas: object };
    }>('/openapi.json');
    expect(document.openapi).toMatch(/^3\./);
    expect(document.paths['/images']?.post?.responses).toMatchObject({
      503: { description: expect.stringMatching(/database_unavailable/) as string },
      507: { description: 'storage_full' },
    });
    expect(Object.keys(document.paths).sort()).toEqual([
      '/classify',
      '/embed',
      '/healthz',
      '/images',
      '/images/{id}',
      '/images/{id}/file',
      '/images/{id}/thumbnail',
      '/imports',
      '/imports/{id}',
      '/metrics',
      '/problems',
      '/problems/{code}',
      '/readyz',
      '/search',
      '/search/image',
      '/search/vector',
    ]);
    expect(document.paths['/search']?.get?.parameters?.map(({ name }) => name)).toEqual([
      'q',
      'limit',
      'offset',
      'minScore',
      'tag',
    ]);
    expect(document.paths['/classify']?.post?.requestBody).toMatchObject({
      content: { 'application/json': {}, 'multipart/form-data': {} },
    });
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Image', 'Problem', 'SearchResult']),
    );
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)];
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name!);
  });

  it('have an OpenAPI document with the limits of the settings and lists as repeated fields', async () => {
    interface Schema {
      maxItems?: number;
      maxLength?: number;
      required?: string[];
      items?: Schema;
      properties: Record<string, Schema>;
    }
    interface Operation {
      operationId: string;
      parameters: { name: string; required: boolean; schema: Schema }[];
      requestBody: { content: Record<string, { schema: Schema; encoding?: Record<string, object> }> };
    }
    const { paths } = await server.json<{ paths: Record<string, Record<string, Operation>> }>(
      '/openapi.json',
    );
    const { content } = paths['/classify']!.post!.requestBody;
    const form = content['multipart/form-data']!;
    expect(form.schema.required).toEqual(['image', 'labels']);
    expect(form.schema.properties.labels).toMatchObject({ maxItems: 20, items: { maxLength: 50 } });
    const { parameters } = content['application/json']!.schema.properties;
    expect(parameters?.required).toEqual(['candidate_labels']);
    expect(parameters?.properties.candidate_labels).toMatchObject({ maxItems: 20 });
    const [q] = paths['/search']!.get!.parameters;
    expect(q).toMatchObject({ name: 'q', required: true, schema: { maxLength: 50 } });
    const exploded = { style: 'form', explode: true };
    expect(form.encoding).toEqual({ labels: exploded });
    const upload = paths['/images']!.post!.requestBody.content['multipart/form-data']!;
    expect(upload.encoding).toEqual({ captions: exploded, tags: exploded });
    const ids = Object.values(paths).flatMap((item) => Object.values(item).map((one) => one.operationId));
    expect(ids).toContain('imageUpload');
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('have Swagger UI, the web page, and strict headers', async () => {
    for (const address of ['/docs', '/docs/', '/docs?x=1', '/docs/?x=1', '/docs/index.html']) {
      const docs = await server.fetch(address);
      const text = await docs.text();
      expect([address, docs.status]).toEqual([address, 200]);
      expect(text).toMatch(/name="viewport"/);
      for (const [, file] of text.matchAll(/(?:src|href)="([^"]+)"/g)) {
        expect([file, (await server.fetch(file!)).status]).toEqual([file, 200]);
      }
    }
    const page = await server.fetch('/');
    expect(await page.text()).toMatch(/<title>CLIP/);
    expect(page.headers.get('content-security-policy')).toMatch(
      /default-src 'none';script-src 'self';style-src 'self'/,
    );
    expect(page.headers.get('x-powered-by')).toBeNull();
    expect((await server.fetch('/app.js')).headers.get('content-type')).toMatch(/javascript/);
  });

  it('explain every problem code', async () => {
    const all = await server.json<{ code: string; status: number }[]>('/problems');
    expect(all.length).toBeGreaterThan(15);
    const [first] = all;
    expect(await server.json(`/problems/${first!.code}`)).toEqual(first);
  });
});

function jsonText(body: string): RequestInit {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body };
}

async function blank(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: 'white' } })
    .png()
    .toBuffer();
}

async function rgbNoise(size: number): Promise<Buffer> {
  const image = sharp({
    create: {
      width: size,
      height: size,
      channels: 3,
      background: 'grey',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  });
  return image.png().toBuffer();
}
