/** What the service gives of stored pictures, and to which pages: metadata, ranges, originals, pictures on other sites. */
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasBrowser, launchBrowser, titleWithBrowser } from './support/browser.js';
import { send } from './support/raw-request.js';
import { formRequest } from './support/server.js';
import type { TestServer } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const KEY = 'a-key-for-everything-123';
const SECRETS = /GPS|SecretCam|48\.8584|adobe:ns/;

/** A picture with a place and a camera, turned by its Exif. */
const photo = async (format: 'jpeg' | 'png' | 'webp'): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(
    await sharp({ create: { width: 60, height: 40, channels: 3, background: 'teal' } })
      .withExif({
        IFD0: { Make: 'SecretCam', ImageDescription: 'GPS 48.8584 N' },
        IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100' },
      })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
      .withMetadata({ orientation: 6 })
      .toFormat(format)
      .toBuffer(),
  );

async function upload(
  server: TestServer,
  image: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<string> {
  const { items } = await server.json<{ items: { id: string }[] }>('/images', {
    ...formRequest({ image }),
    headers,
  });
  return items[0]!.id;
}

const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

/** Another site: a page of its own, at an address that is neither the service's host nor its port. */
const site = createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/html');
  response.end('<!doctype html><title>another site</title>');
});
const siteOrigin = () => `http://localhost:${(site.address() as AddressInfo).port}`;

beforeAll(async () => {
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
});
afterAll(() => {
  site.close();
});

/** Runs in the page; text, since it uses what only browsers have. */
const PAGE_SCRIPT = `async (base, id) => {
  const shows = (path) =>
    new Promise((resolve) => {
      const picture = new Image();
      picture.onload = () => resolve(picture.naturalWidth > 0);
      picture.onerror = () => resolve(false);
      picture.src = base + path;
    });
  const status = (path, options) => fetch(base + path, options).then((answer) => answer.status, () => 'blocked');
  const body = '{"texts":["red"]}';
  return {
    file: await shows('/images/' + id + '/file'),
    thumbnail: await shows('/images/' + id + '/thumbnail'),
    read: await status('/images/' + id),
    text: await status('/embed', { method: 'POST', body }),
    json: await status('/embed', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }),
    deleted: await status('/images/' + id, { method: 'DELETE' }),
  };
}`;

/** What a page of the other site can do with a picture of the service. */
async function tryFromSite(server: TestServer, id: string): Promise<unknown> {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(siteOrigin());
    return await page.evaluate(`(${PAGE_SCRIPT})(${JSON.stringify(server.url)}, ${JSON.stringify(id)})`);
  } finally {
    await browser.close();
  }
}

describe('a stored picture', () => {
  const folder = useFolder();
  // Its warnings are looked for.
  const server = useServer(folder, { API_KEY: KEY, IMAGE_FORMATS: 'jpeg,png,webp,gif,avif,tiff' }, {});

  it.each(['jpeg', 'png', 'webp'] as const)(
    'in %s is served without place and camera; its bytes as they came are for admins',
    async (format) => {
      const original = await photo(format);
      const id = await upload(server, original, { 'X-API-Key': KEY });
      const response = await server.fetch(`/images/${id}/file`);
      const served = await bytesOf(response);
      expect(served.toString('latin1')).not.toMatch(SECRETS);
      expect(await sharp(served).metadata()).toMatchObject({ width: 60, height: 40, orientation: 6 });
      expect([
        response.headers.get('content-length'),
        response.headers.get('content-type'),
        response.headers.get('etag'),
      ]).toEqual([String(served.length), `image/${format}`, `"${id}-stripped"`]);
      const thumbnail = await bytesOf(await server.fetch(`/images/${id}/thumbnail`));
      expect(thumbnail.toString('latin1')).not.toMatch(SECRETS);
      expect((await sharp(thumbnail).metadata()).exif).toBeUndefined();
      expect((await server.problem(`/images/${id}/file?original=true`)).code).toBe('unauthorized');
      const whole = await server.fetch(`/images/${id}/file?original=true`, { headers: { 'X-API-Key': KEY } });
      expect(await bytesOf(whole)).toEqual(Buffer.from(original));
      expect(whole.headers.get('etag')).toBe(`"${id}"`);
    },
  );

  it.each(['avif', 'tiff'] as const)(
    'in %s is found, classified, and served as PNG with the same pixels and nothing else',
    async (format) => {
      const headers = { 'X-API-Key': KEY };
      const width = format === 'avif' ? 72 : 71;
      const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
      const picture = sharp({ create: { width, height: 48, channels: 3, background: 'teal', noise } })
        .withExif({ IFD0: { Make: 'SecretCam' } })
        .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
        .withMetadata({ orientation: 6 });
      const options = format === 'avif' ? { bitdepth: 10 as const } : { compression: 'lzw' };
      const original = new Uint8Array(await picture.toFormat(format, options).toBuffer());
      expect(Buffer.from(original).toString('latin1')).toMatch(SECRETS);
      const id = await upload(server, original, headers);
      expect(await server.json(`/images/${id}`)).toMatchObject({
        mediaType: `image/${format}`,
        width: 48,
        height: width,
      });
      const found = await server.json<{ items: { id: string }[] }>(
        '/search/image?limit=1',
        formRequest({ image: original }),
      );
      expect(found.items[0]?.id).toBe(id);
      const scores = await server.json(
        '/classify',
        formRequest({ image: original, labels: ['red', 'blue'] }),
      );
      expect(scores).toHaveLength(2);

      const response = await server.fetch(`/images/${id}/file`);
      const served = await bytesOf(response);
      expect(response.headers.get('content-type')).toBe('image/png');
      expect(response.headers.get('content-disposition')).toMatch(/[.]png$/);
      expect(served.toString('latin1')).not.toMatch(SECRETS);
      const pixels = (bytes: Uint8Array) =>
        sharp(bytes, { ignoreIcc: true }).autoOrient().removeAlpha().raw().toBuffer();
      expect(await pixels(served)).toEqual(await pixels(original));
      expect(
        (await sharp(await bytesOf(await server.fetch(`/images/${id}/thumbnail`))).metadata()).width,
      ).toBe(48);
      const whole = await server.fetch(`/images/${id}/file?original=true`, { headers });
      expect(whole.headers.get('content-type')).toBe(`image/${format}`);
      expect(await bytesOf(whole)).toEqual(Buffer.from(original));
      await server.fetch(`/images/${id}`, { method: 'DELETE', headers });
      expect((await server.fetch(`/images/${id}/file`)).status).toBe(404);
    },
  );

  it('is refused with 412 to who expects another file, whichever way it is served', async () => {
    const headers = { 'X-API-Key': KEY };
    const id = await upload(server, await photo('png'), headers);
    for (const path of [
      `/images/${id}/file`,
      `/images/${id}/file?original=true`,
      `/images/${id}/thumbnail`,
    ]) {
      const tag = (await server.fetch(path, { headers })).headers.get('etag')!;
      const status = async (expected: string) =>
        (await server.fetch(path, { headers: { ...headers, 'If-Match': expected } })).status;
      expect([path, await status(tag), await status('*'), await status(`"x", ${tag}`)]).toEqual([
        path,
        200,
        200,
        200,
      ]);
      const problem = await server.problem(path, { headers: { ...headers, 'If-Match': '"x"' } });
      expect([path, problem.status, problem.code]).toEqual([path, 412, 'precondition_failed']);
    }
  });

  it('is given by ranges and conditions as it is whole', async () => {
    const id = await upload(server, await photo('jpeg'), { 'X-API-Key': KEY });
    const path = `/images/${id}/file`;
    const whole = await bytesOf(await server.fetch(path));
    const total = whole.length;
    const ask = async (range: string, headers: Record<string, string> = {}) => {
      const response = await server.fetch(path, { headers: { Range: range, ...headers } });
      return {
        status: response.status,
        range: response.headers.get('content-range'),
        bytes: await bytesOf(response),
      };
    };
    for (const [from, to] of [
      [0, 0],
      [0, 9],
      [1, 30],
      [25, 60],
      [total - 1, total - 1],
      [0, total - 1],
    ] as const) {
      expect(await ask(`bytes=${from}-${to}`)).toEqual({
        status: 206,
        range: `bytes ${from}-${to}/${total}`,
        bytes: whole.subarray(from, to + 1),
      });
    }
    expect(await ask('bytes=-5')).toMatchObject({ status: 206, bytes: whole.subarray(total - 5) });
    expect(await ask(`bytes=10-${total * 2}`)).toMatchObject({ status: 206, bytes: whole.subarray(10) });
    expect(await ask(`bytes=${total}-`)).toMatchObject({ status: 416, range: `bytes */${total}` });
    for (const range of ['bytes=0-1,5-6', 'bytes=x', 'lines=0-1'])
      expect(await ask(range)).toMatchObject({ status: 200, bytes: whole });
    const thumbnail = await server.problem(`${path.replace('/file', '/thumbnail')}`, {
      headers: { Range: 'bytes=9999999-' },
    });
    expect([thumbnail.status, thumbnail.code]).toEqual([416, 'range_not_satisfiable']);
    expect((await server.problem('/images/%F0%9F%92')).code).toBe('malformed_request');
    expect(server.output()).not.toContain('MaxListeners');
    expect(await ask('bytes=0-1', { 'If-Range': `"${id}-stripped"` })).toMatchObject({ status: 206 });
    expect(await ask('bytes=0-1', { 'If-Range': `"${id}"` })).toMatchObject({ status: 200, bytes: whole });
    // Not by fetch, which asks caches on the way not to answer such a request.
    const unchanged = await send(server.url, path, { headers: { 'If-None-Match': `"${id}-stripped"` } });
    expect([unchanged.status, unchanged.body]).toEqual([304, '']);
    const head = await server.fetch(path, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), (await bytesOf(head)).length]).toEqual([
      200,
      String(total),
      0,
    ]);
  });

  it('that is not built as its format says is encoded again, and forgotten with the image', async () => {
    const good = Buffer.from(await photo('jpeg'));
    const table = good.indexOf(Buffer.from('ffdb', 'hex'));
    const repeated = good.subarray(table, table + 2 + good.readUInt16BE(table + 2));
    const comment = Buffer.from('fffe0005475053', 'hex');
    const many = Array.from({ length: 1100 }, () => [repeated, comment]).flat();
    const odd = Buffer.concat([good.subarray(0, table), ...many, good.subarray(table)]);
    const id = await upload(server, new Uint8Array(odd), { 'X-API-Key': KEY });
    const response = await server.fetch(`/images/${id}/file`);
    const served = await bytesOf(response);
    expect([response.status, response.headers.get('etag')]).toEqual([200, `"${id}-encoded"`]);
    expect(served.toString('latin1')).not.toMatch(SECRETS);
    expect(await sharp(served).metadata()).toMatchObject({ format: 'jpeg', width: 40, height: 60 });
    await server.fetch(`/images/${id}`, { method: 'DELETE', headers: { 'X-API-Key': KEY } });
    expect((await server.problem(`/images/${id}/file`)).code).toBe('image_not_found');
    expect(existsSync(join(folder, 'data', 'reencoded', id.slice(0, 2), `${id}.jpg`))).toBe(false);
  });

  it.skipIf(!hasBrowser)(titleWithBrowser('is nothing to a page of another site'), async () => {
    const id = await upload(server, await photo('jpeg'), { 'X-API-Key': KEY });
    expect(await tryFromSite(server, id)).toEqual({
      file: false,
      thumbnail: false,
      read: 'blocked',
      text: 'blocked',
      json: 'blocked',
      deleted: 'blocked',
    });
    expect((await server.fetch(`/images/${id}`)).status).toBe(200);
  });
});

describe('a service that strips nothing and that another site may use', () => {
  const server = useServer(useFolder(), () => ({ STRIP_METADATA: '0', CORS_ORIGIN: siteOrigin() }));

  it('serves a picture as it came', async () => {
    const original = await photo('png');
    const id = await upload(server, original);
    expect(await bytesOf(await server.fetch(`/images/${id}/file`))).toEqual(Buffer.from(original));
  });

  it.skipIf(!hasBrowser)(titleWithBrowser('lets its page show pictures and use the API'), async () => {
    const id = await upload(server, await photo('jpeg'));
    expect(await tryFromSite(server, id)).toEqual({
      file: true,
      thumbnail: true,
      read: 200,
      text: 415,
      json: 200,
      deleted: 204,
    });
  });
});
