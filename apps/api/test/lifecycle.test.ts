/** Starting, stopping, restarting: what must fail clearly, and what must survive. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freshDataFolder } from './support/data-folder.js';
import { rgbPng } from './support/images.js';
import { TestServer, formRequest, jsonRequest, runToEnd } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Found {
  items: { id: string; score: number }[];
  total?: number;
}

let folder: string;
let checkpoint: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-api-'));
  checkpoint = await writeTinyCheckpoint(join(folder, 'model-a'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Adds `count` images of different colours. */
async function fill(server: TestServer, count: number, start = 0): Promise<void> {
  for (let first = start; first < start + count; first += 30) {
    const size = Math.min(30, start + count - first);
    const image = await Promise.all(
      Array.from({ length: size }, (_, i) => {
        const n = first + i;
        return rgbPng((n * 37) % 256, (n * 101) % 256, (n * 13 + Math.floor(n / 7)) % 256);
      }),
    );
    await server.json('/images', formRequest({ image }));
  }
}

describe('the program', () => {
  it('lists its settings with --help', async () => {
    const { code, output } = await runToEnd({}, ['--help']);
    expect(code).toBe(0);
    expect(output).toMatch(/CLIP_CHECKPOINT/);
  });

  it('says which settings it cannot use, with exit code 2', async () => {
    const { code, output } = await runToEnd({ PORT: 'http' });
    expect(code).toBe(2);
    expect(output).toMatch(/CLIP_CHECKPOINT is not set/);
    expect(output).toMatch(/PORT: expected a whole number; found http/);
    expect(output).not.toMatch(/\.js:\d/);
  });

  it('says what is wrong with a checkpoint, with exit code 2', async () => {
    const data = { DATA_DIR: await freshDataFolder(join(folder, 'refused')) };
    const absent = await runToEnd({ ...data, CLIP_CHECKPOINT: join(folder, 'absent') });
    expect([absent.code, absent.output]).toEqual([2, expect.stringMatching(/absent/)]);
    const broken = await writeTinyCheckpoint(join(folder, 'broken'));
    await writeFile(join(broken, 'onnx', 'vision_model.onnx'), 'not a model');
    const refused = await runToEnd({ ...data, CLIP_CHECKPOINT: broken });
    expect([refused.code, refused.output]).toEqual([2, expect.stringMatching(/vision_model\.onnx/)]);
    await rm(join(broken, 'tokenizer.json'));
    const incomplete = await runToEnd({ ...data, CLIP_CHECKPOINT: broken });
    expect([incomplete.code, incomplete.output]).toEqual([2, expect.stringMatching(/lacks tokenizer\.json/)]);
    for (const { output } of [absent, refused, incomplete]) expect(output).not.toMatch(/\.js:\d/);
  });

  it('says when the data folder cannot be made, with exit code 2', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const { code, output } = await runToEnd({ CLIP_CHECKPOINT: checkpoint, DATA_DIR: join(file, 'data') });
    expect(code).toBe(2);
    expect(output).toMatch(/data folder .*a-file.data cannot be written: ENOTDIR/);
    expect(output).not.toMatch(/\.js:\d/);
  });

  it('says when the port is taken or the database cannot be reached, with exit code 2', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: await freshDataFolder(join(folder, 'unused')) };
    const taken = await runToEnd({ ...env, PORT: String(port) });
    expect([taken.code, taken.output]).toEqual([
      2,
      expect.stringMatching(/Port \d+ on 127\.0\.0\.1 is in use/),
    ]);
    const url = 'postgresql://user:secret@127.0.0.1:1/none';
    const unreachable = await runToEnd({ ...env, DATABASE_URL: url });
    expect([unreachable.code, unreachable.output]).toEqual([
      2,
      expect.stringMatching(/database cannot be used/),
    ]);
    expect(unreachable.output).not.toMatch(/secret/);
    blocker.close();
  });
});

describe('the data', () => {
  it('survive a stop and a kill, and belong to one process at a time', async () => {
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: await freshDataFolder(join(folder, 'kept')) };
    let server = await TestServer.start(env);
    await fill(server, 20);
    const before = await server.json<Found>('/search?q=red&limit=20');
    const second = await runToEnd(env);
    expect([second.code, second.output]).toEqual([2, expect.stringMatching(/in use by process/)]);
    expect(await server.stop()).toBe(0);
    server = await TestServer.start(env);
    expect(await server.json<Found>('/search?q=red&limit=20')).toEqual(before);
    await fill(server, 5, 20);
    await server.stop('SIGKILL');
    server = await TestServer.start(env);
    expect((await server.json<Found>('/search?q=red')).total).toBe(25);
    await server.stop();
  });

  it('are encoded again when another model is served', async () => {
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: await freshDataFolder(join(folder, 'two-models')) };
    let server = await TestServer.start(env);
    await fill(server, 40);
    await server.stop();
    const other = await writeTinyCheckpoint(join(folder, 'model-b'), { gain: 0.05 });
    server = await TestServer.start({ ...env, CLIP_CHECKPOINT: other });
    for (let attempt = 0; attempt < 100; attempt++) {
      const { toReembed } = await server.json<{ toReembed: number }>('/readyz');
      if (toReembed === 0) break;
      await delay(50);
    }
    const { items, total } = await server.json<Found>('/search?q=red&limit=1');
    expect(total).toBe(40);
    expect(items[0]!.score).toBeLessThan(0.95);
    await server.stop();
  });
});

describe('the search graph', () => {
  it('takes over from the exact index, is saved, loaded, brought up to date, and rebuilt when damaged', async () => {
    const env = {
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'graph')),
      EXACT_SEARCH_LIMIT: '50',
      SEARCH_DEPTH: '60',
    };
    const snapshot = join(env.DATA_DIR, 'index', 'hnsw.bin');
    let server = await TestServer.start(env);
    await fill(server, 90);
    await untilGraph(server);
    const found = await server.json<Found>('/search?q=yellow&limit=60');
    const pages = [0, 20, 40].map((offset) =>
      server.json<Found>(`/search?q=yellow&limit=20&offset=${offset}`),
    );
    expect((await Promise.all(pages)).flatMap(({ items }) => items)).toEqual(found.items);
    const end = await server.json<Found & { depth?: number }>('/search?q=yellow&limit=20&offset=50');
    expect([end.items, end.depth]).toEqual([found.items.slice(50), 60]);
    expect((await server.problem('/search?q=yellow&limit=20&offset=60')).code).toBe('page_too_deep');
    const gone = found.items[0]!.id;
    await server.fetch(`/images/${gone}`, { method: 'DELETE' });
    await fill(server, 10, 90);
    await server.stop();
    expect((await stat(snapshot)).size).toBeGreaterThan(1000);

    server = await TestServer.start(env);
    expect(server.output()).not.toMatch(/building/);
    expect(await server.json('/readyz')).toMatchObject({ index: { kind: 'hnsw', images: 99 } });
    const again = await server.json<Found>('/search?q=yellow&limit=30');
    expect(again.items.map(({ id }) => id)).not.toContain(gone);
    await fill(server, 5, 100);
    await server.stop('SIGKILL');

    server = await TestServer.start(env);
    expect(server.output()).not.toMatch(/building/);
    expect(await server.json('/readyz')).toMatchObject({ index: { kind: 'hnsw', images: 104 } });
    await server.stop();
    const bytes = await readFile(snapshot);
    await writeFile(snapshot, bytes.subarray(0, bytes.length / 2));

    server = await TestServer.start(env);
    expect(server.output()).toMatch(/building the search graph over 104 images: its bytes are damaged/);
    const exact = await TestServerOnExactIndex(env, server);
    expect(exact.graph).toEqual(exact.plain);
  });

  /** The same question to the graph and, after a restart, to the exact index. */
  async function TestServerOnExactIndex(env: Record<string, string>, graphServer: TestServer) {
    const ids = async (server: TestServer) =>
      (await server.json<Found>('/search?q=cyan&limit=30')).items.map(({ id }) => id);
    const graph = await ids(graphServer);
    await graphServer.stop();
    const server = await TestServer.start({ ...env, EXACT_SEARCH_LIMIT: '1000' });
    const plain = await ids(server);
    await server.stop();
    return { graph, plain };
  }

  async function untilGraph(server: TestServer): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const { index } = await server.json<{ index: { kind: string } }>('/readyz');
      if (index.kind === 'hnsw') return;
      await delay(50);
    }
    throw new Error(`the graph was not built:\n${server.output()}`);
  }
});

describe('keys and limits', () => {
  const KEY = 'a key of more than sixteen characters';

  it('a key protects changes, or everything', async () => {
    const env = {
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'key')),
      API_KEY: KEY,
    };
    let server = await TestServer.start(env);
    const form = async () => formRequest({ image: await rgbPng(1, 2, 3) });
    expect(await server.problem('/images', await form())).toMatchObject({
      status: 401,
      code: 'unauthorized',
    });
    const wrong = { ...(await form()), headers: { 'X-API-Key': `${KEY}x` } };
    expect((await server.problem('/images', wrong)).code).toBe('unauthorized');
    const right = { ...(await form()), headers: { Authorization: `Bearer ${KEY}` } };
    expect((await server.fetch('/images', right)).status).toBe(201);
    expect((await server.fetch('/search?q=red')).status).toBe(200);
    await server.stop();
    server = await TestServer.start({ ...env, API_KEY_SCOPE: 'all' });
    expect((await server.problem('/search?q=red')).code).toBe('unauthorized');
    expect((await server.fetch('/search?q=red', { headers: { 'X-API-Key': KEY } })).status).toBe(200);
    expect((await server.fetch('/healthz')).status).toBe(200);
    expect((await server.fetch('/')).status).toBe(200);
    await server.stop();
  });

  it('a client that asks too often waits, and a full queue is said', async () => {
    const server = await TestServer.start({
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'limits')),
      RATE_LIMIT: '20',
      MAX_LABELS: '256',
      ENCODER_QUEUE: '512',
      ENCODER_BATCH: '1',
    });
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, request) =>
        server.fetch(
          '/embed',
          jsonRequest({ texts: Array.from({ length: 256 }, (_, n) => `${request} ${n}`) }),
        ),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(5);
    expect(statuses).toContain(200);
    expect(statuses).toContain(503);
    for (const answer of answers) {
      if (answer.status !== 200) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      await answer.arrayBuffer();
    }
    expect((await server.fetch('/healthz')).status).toBe(200);
    await server.stop();
  });
});

describe('stopping', () => {
  it('finishes the requests that run and leaves no lock behind', async () => {
    const data = await freshDataFolder(join(folder, 'stopping'));
    const server = await TestServer.start({ CLIP_CHECKPOINT: checkpoint, DATA_DIR: data });
    const running = Array.from({ length: 8 }, async (_, n) =>
      server.fetch('/images', formRequest({ image: await rgbPng(n, 2, 3) })),
    );
    await delay(30);
    const stopped = server.stop();
    const results = await Promise.allSettled(running);
    expect(await stopped).toBe(0);
    const answered = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value.status] : [],
    );
    expect(answered.every((status) => status === 201 || status === 503)).toBe(true);
    expect(await readdir(data)).not.toContain('lock');
  });
});
