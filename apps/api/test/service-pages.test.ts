/** What the service says of itself: health, metrics, its OpenAPI document, Swagger UI, the list of problems. */
import { describe, expect, it, vi } from 'vitest';
import { colourPng } from './support/images.js';
import { formRequest } from './support/server.js';
import { EMBEDDING_SIZE } from './support/tiny-checkpoint.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const server = useServer(useFolder(), { MAX_LABELS: '20', MAX_TEXT_LENGTH: '50' });

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
      '/collections',
      '/collections/{id}',
      '/demo/files/{hash}/onnx/{name}',
      '/demo/files/{hash}/{name}',
      '/demo/model',
      '/embed',
      '/healthz',
      '/images',
      '/images/{id}',
      '/images/{id}/file',
      '/images/{id}/similar',
      '/images/{id}/thumbnail',
      '/imports',
      '/imports/{id}',
      '/imports/{id}/cancel',
      '/imports/{id}/events',
      '/imports/{id}/pause',
      '/imports/{id}/resume',
      '/imports/{id}/retry',
      '/label-sets',
      '/label-sets/{id}',
      '/metrics',
      '/models',
      '/models/{hash}',
      '/models/{hash}/activate',
      '/problems',
      '/problems/{code}',
      '/readyz',
      '/search',
      '/search/image',
      '/search/vector',
    ]);
    expect(document.paths['/search']?.get?.parameters?.map(({ name }) => name)).toEqual([
      'q',
      'weight',
      'not',
      'limit',
      'offset',
      'cursor',
      'minScore',
      'tag',
      'notTag',
      'collection',
      'from',
      'to',
      'takenFrom',
      'takenTo',
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
    expect(form.schema.required).toEqual(['image']);
    expect(form.schema.properties.labels).toMatchObject({ maxItems: 20, items: { maxLength: 50 } });
    const { parameters } = content['application/json']!.schema.properties;
    expect(parameters?.required).toBeUndefined();
    expect(parameters?.properties.candidate_labels).toMatchObject({ maxItems: 20 });
    const [q] = paths['/search']!.get!.parameters;
    expect(q).toMatchObject({ name: 'q', required: true, schema: { items: { maxLength: 50 } } });
    const exploded = { style: 'form', explode: true };
    expect(form.encoding).toEqual({ labels: exploded, templates: exploded });
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

  it('give the model to the demo page file by file, and nothing that it does not need', async () => {
    const model = await server.json<{ hash: string; files: string[]; bytes: number }>('/demo/model');
    expect(model).toMatchObject({
      precision: 'fp32',
      hub: false,
      scoring: { logitScale: expect.closeTo(20, 6) as number },
    });
    const folder = `/demo/files/${model.hash}`;
    let bytes = 0;
    for (const name of model.files) {
      const answer = await server.fetch(`${folder}/${name}`);
      bytes += (await answer.arrayBuffer()).byteLength;
      expect([name, answer.status]).toEqual([name, 200]);
      expect(answer.headers.get('cache-control')).toBe(
        name === 'config.json' ? 'private, no-cache' : 'private, max-age=31536000, immutable',
      );
    }
    expect(bytes).toBe(model.bytes);
    const part = await server.fetch(`${folder}/onnx/text_model.onnx`, { headers: { Range: 'bytes=0-3' } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 4]);
    for (const path of [
      `${folder}/model.safetensors`,
      `${folder}/README.md`,
      `${folder}/..%2F..%2Fversion.txt`,
      `${folder}/onnx/..%2Fconfig.json`,
      `/demo/files/${'0'.repeat(64)}/config.json`,
    ]) {
      const answer = await server.fetch(path);
      expect([path, answer.status, (await answer.json()) as object]).toEqual([
        path,
        404,
        expect.objectContaining({ code: 'model_not_found' }),
      ]);
    }
  });

  it('let the demo page compile WebAssembly and open the camera, and no other page', async () => {
    const demo = await server.fetch('/demo?model=a/b', { redirect: 'manual' });
    expect([demo.status, demo.headers.get('location')]).toEqual([308, 'demo/?model=a/b']);
    const page = await server.fetch('/demo/');
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).toContain("connect-src 'self';");
    expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(page.headers.get('permissions-policy')).toMatch(/^camera=\(self\)/);
    const main = await server.fetch('/');
    expect(main.headers.get('content-security-policy')).not.toMatch(/wasm|worker/);
    expect(main.headers.get('permissions-policy')).toMatch(/^camera=\(\)/);
    const worker = await (await server.fetch('/demo/demo.worker.js')).text();
    const library = /lib\/[\d.]+\//.exec(worker)![0];
    for (const name of ['transformers.min.js', 'ort-wasm-simd-threaded.wasm']) {
      const answer = await server.fetch(`/demo/${library}${name}`, { method: 'HEAD' });
      expect([name, answer.status, answer.headers.get('cache-control')]).toEqual([
        name,
        200,
        'public, max-age=31536000, immutable',
      ]);
    }
    expect((await server.fetch(`/demo/${library}transformers.node.mjs`)).status).toBe(404);
  });

  it('explain every problem code', async () => {
    const all = await server.json<{ code: string; status: number }[]>('/problems');
    expect(all.length).toBeGreaterThan(15);
    const [first] = all;
    expect(await server.json(`/problems/${first!.code}`)).toEqual(first);
  });
});
