/** Requests that cannot be answered, and images that cannot be used: each is refused with its code. */
import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { colourPng } from './support/images.js';
import { formRequest, jsonRequest, jsonText } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const server = useServer(useFolder(), {
  MAX_IMAGE_BYTES: '200000',
  MAX_IMAGE_PIXELS: '40000',
  MAX_FILES: '4',
  MAX_REQUEST_BYTES: '500000',
  MAX_TEXT_LENGTH: '50',
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
    ['a JPEG whose Exif links form a circle', tangled, 422, 'undecodable_image'],
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

describe('requests that cannot be answered', () => {
  it.each([
    ['an unknown route', '/nothing', undefined, 404, 'route_not_found'],
    ['a method that a route does not have', '/search', { method: 'DELETE' }, 405, 'method_not_allowed'],
    ['a model with a NUL character', '/models/%00', { method: 'DELETE' }, 400, 'invalid_request'],
    ['no query', '/search', undefined, 400, 'invalid_request'],
    ['an empty query', '/search?q=%20', undefined, 400, 'invalid_request'],
    ['a query given eleven times', `/search?${'q=a&'.repeat(11)}`, undefined, 400, 'invalid_request'],
    ['too long a query', `/search?q=${'x'.repeat(51)}`, undefined, 400, 'invalid_request'],
    ['a limit of 0', '/search?q=a&limit=0', undefined, 400, 'invalid_request'],
    ['a limit that is no number', '/search?q=a&limit=ten', undefined, 400, 'invalid_request'],
    ['a score that is no number', '/search?q=a&minScore=x', undefined, 400, 'invalid_request'],
    ['a negative offset', '/images?offset=-1', undefined, 400, 'invalid_request'],
    ['an unknown parameter', '/search?q=a&page=2', undefined, 400, 'invalid_request'],
    ['a broken path', '/images/%E0%A4%A', undefined, 400, 'malformed_request'],
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
    [`/images/${'0'.repeat(64)}`, 'POST', 'DELETE, GET, HEAD, PATCH, OPTIONS'],
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

  it('find the limits of these settings, and defaults elsewhere, in the OpenAPI document', async () => {
    type Schemas = Record<string, { maxItems?: number; items?: { maxLength?: number } }>;
    const { paths } = await server.json<{
      paths: Record<
        string,
        { post?: { requestBody: { content: Record<string, { schema: { properties: Schemas } }> } } }
      >;
    }>('/openapi.json');
    const formOf = (path: string) =>
      paths[path]!.post!.requestBody.content['multipart/form-data']!.schema.properties;
    for (const path of ['/images', '/embed']) expect(formOf(path).image).toMatchObject({ maxItems: 4 });
    expect(formOf('/classify').labels).toMatchObject({ maxItems: 1000, items: { maxLength: 50 } });
  });

  it('are refused whatever stands in the place of an id, on every route', async () => {
    const { paths } = await server.json<{ paths: Record<string, object> }>('/openapi.json');
    const ids = ['%00', 'a%00', '__proto__', '..%2f..%2fetc', '%ED%A0%80', 'x'.repeat(5000)];
    const requests = Object.entries(paths).flatMap(([path, methods]) =>
      path.includes('{') ? Object.keys(methods).flatMap((method) => ids.map((id) => [path, method, id])) : [],
    ) as [string, string, string][];
    expect(requests.length).toBeGreaterThan(60);
    for (const [path, method, id] of requests) {
      const options = method === 'patch' ? { ...jsonRequest({ tags: ['a'], name: 'b' }) } : {};
      const response = await server.fetch(path.replace(/\{\w+\}/, id), {
        ...options,
        method: method.toUpperCase(),
      });
      expect([400, 404], `${method} ${path} with ${id}`).toContain(response.status);
      await response.arrayBuffer();
    }
  });

  it.each(['0000-01-01', '0001-01-01T00:00:00%2B23:59', '1969-12-31'])(
    'are none for a time before all images: %s',
    async (time) => {
      await server.fetch('/images', formRequest({ image: await colourPng('red') }));
      for (const path of ['/images?', '/search?q=red&']) {
        expect(await server.json(`${path}to=${time}`)).toMatchObject({ items: [] });
        const { items } = await server.json<{ items: unknown[] }>(`${path}from=${time}`);
        expect(items.length).toBeGreaterThan(0);
      }
    },
  );

  it('may ask for the headers alone wherever they may read', async () => {
    for (const path of [
      '/',
      '/docs',
      '/openapi.json',
      '/healthz',
      '/images',
      '/search?q=red',
      '/styles/base.css',
    ]) {
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

/** A JPEG that can be decoded, with an Exif directory of 100 links to itself. */
async function tangled(): Promise<Buffer> {
  const jpeg = await sharp(await blank(20, 20))
    .jpeg()
    .toBuffer();
  const link = Buffer.from([0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8]);
  const links = Array.from({ length: 100 }, () => link);
  const exif = Buffer.concat([
    Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x64', 'latin1'),
    ...links,
    Buffer.alloc(4),
  ]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(2 + exif.length, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, exif, jpeg.subarray(2)]);
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
