/** The service on a PostgreSQL server instead of the embedded database. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ImportView } from '../src/imports/import.schema.js';
import { colourPng, rgbPng } from './support/images.js';
import { TestPostgres, postgresPrograms } from './support/postgres.js';
import { TestServer, formRequest, jsonRequest } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Found {
  items: { id: string; score: number }[];
  total?: number;
}

const installed = postgresPrograms() !== undefined;
const title = installed
  ? 'with DATABASE_URL'
  : 'with DATABASE_URL (skipped: PostgreSQL is not installed; on Debian: apt-get install postgresql)';

describe.skipIf(!installed)(title, () => {
  let folder: string;
  let postgres: TestPostgres;
  let env: Record<string, string>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clip-api-pg-'));
    postgres = await TestPostgres.start();
    env = {
      CLIP_CHECKPOINT: await writeTinyCheckpoint(join(folder, 'checkpoint')),
      DATABASE_URL: postgres.url,
    };
  });
  afterAll(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true });
  });

  it('two services that start at once migrate once, share the rows, and see each other’s changes', async () => {
    const [a, b] = await Promise.all([
      TestServer.start({ ...env, DATA_DIR: join(folder, 'a') }),
      TestServer.start({ ...env, DATA_DIR: join(folder, 'b') }),
    ]);
    const image = await Promise.all(['red', 'green', 'blue'].map((name) => colourPng(name)));
    expect((await a.fetch('/images', formRequest({ image, tags: 'x' }))).status).toBe(201);
    expect((await b.fetch('/images', formRequest({ image }))).status).toBe(200);
    const found = await a.json<Found>('/search?q=red&tag=x');
    expect(found.items[0]?.score).toBeCloseTo(1, 4);
    await delay(1100);
    expect(await b.json<Found>('/search?q=red&tag=x')).toEqual(found);
    await b.fetch(`/images/${found.items[0]!.id}`, { method: 'DELETE' });
    await delay(1100);
    expect((await a.json<Found>('/search?q=red')).total).toBe(2);
    expect(await readdir(join(folder, 'a'))).not.toContain('database');
    expect(await Promise.all([a.stop(), b.stop()])).toEqual([0, 0]);
  });

  it('two services run an import once, and the other goes on with it when the first is killed', async () => {
    const source = join(folder, 'import');
    await mkdir(source);
    for (let n = 0; n < 600; n++)
      await writeFile(join(source, `${n}.png`), await rgbPng(n % 256, n >> 8, 77));
    const shared = { ...env, IMPORT_ROOT: source };
    const servers = await Promise.all([
      TestServer.start({ ...shared, DATA_DIR: join(folder, 'a') }),
      TestServer.start({ ...shared, DATA_DIR: join(folder, 'b') }),
    ]);
    interface Job {
      id: string;
      status: string;
      processed: number;
      added: number;
      duplicates: number;
    }
    const asked = await Promise.all(
      [0, 1, 2, 3].map((n) => servers[n % 2]!.postJson<Job>('/imports', { path: source })),
    );
    const id = asked[0]!.id;
    expect(asked.map((job) => job.id)).toEqual([id, id, id, id]);
    const job = (server: TestServer) => server.json<Job>(`/imports/${id}`);
    await vi.waitFor(async () => expect((await job(servers[0])).processed).toBeGreaterThan(31), 30_000);
    const runs = (server: TestServer) => server.output().includes(`import ${id}: `);
    expect(servers.filter(runs)).toHaveLength(1);
    const first = servers.find(runs)!;
    const other = servers.find((server) => server !== first)!;
    await first.stop('SIGKILL');
    expect((await job(other)).status).toBe('running');
    await vi.waitFor(async () => expect((await job(other)).status).toBe('done'), {
      timeout: 120_000,
      interval: 500,
    });
    const done = await job(other);
    expect(done.processed).toBe(600);
    // A batch that was under way may have been stored before the kill: its images are then known.
    expect(done.added + done.duplicates).toBe(600);
    expect((await other.json<{ total: number }>('/images')).total).toBe(602);
    expect(runs(other)).toBe(true);
    expect(await other.stop()).toBe(0);
  });

  it('a database that goes away is said, and used again when it is back', async () => {
    const server = await TestServer.start({ ...env, DATA_DIR: join(folder, 'a') });
    await postgres.interrupt(async () => {
      expect(await server.problem('/readyz')).toMatchObject({ status: 503, code: 'database_unavailable' });
      expect((await server.problem('/search?q=red')).code).toBe('database_unavailable');
      expect((await server.fetch('/healthz')).status).toBe(200);
    });
    await server.untilReady();
    expect((await server.json<Found>('/search?q=green')).total).toBe(602);
    expect(await server.stop()).toBe(0);
  });

  it('a database that hangs is said within two seconds on every route, and an import goes on afterwards', async () => {
    const root = join(folder, 'root');
    await mkdir(root);
    const count = 150;
    for (let n = 0; n < count; n++) await writeFile(join(root, `${n}.png`), await rgbPng(n, 90, 200 - n));
    const data = join(folder, 'a');
    const server = await TestServer.start({ ...env, DATA_DIR: data, IMPORT_ROOT: root });
    const image = await colourPng('cyan', 7);
    const { id } = await server.postJson<{ id: string }>('/imports', { path: '.' });
    await postgres.freeze(async () => {
      const requests: [string, () => RequestInit | undefined][] = [
        ['/readyz', () => undefined],
        ['/images', () => undefined],
        [`/images/${'0'.repeat(64)}`, () => undefined],
        [`/images/${'0'.repeat(64)}/file`, () => undefined],
        [`/images/${'0'.repeat(64)}/thumbnail`, () => undefined],
        [`/images/${'0'.repeat(64)}`, () => ({ method: 'DELETE' })],
        ['/images', () => formRequest({ image })],
        ['/search?q=red', () => undefined],
        ['/search?q=red&tag=x', () => undefined],
        ['/search/image', () => formRequest({ image })],
        ['/search/vector', () => jsonRequest({ vector: [1, 0, 0, 0] })],
        ['/imports', () => undefined],
        [`/imports/${id}`, () => undefined],
        ['/imports', () => jsonRequest({ path: '.', format: 'folder' })],
      ];
      for (let round = 0; round < 2; round++) {
        await Promise.all(
          requests.map(async ([path, request]) => {
            const start = performance.now();
            const problem = await server.problem(path, request());
            expect([path, problem.code, problem.status]).toEqual([path, 'database_unavailable', 503]);
            expect(performance.now() - start, path).toBeLessThan(2000);
          }),
        );
        expect((await server.fetch('/healthz')).status).toBe(200);
      }
      const form = formRequest({ image, labels: ['cyan', 'red'] });
      expect((await server.fetch('/classify', form)).status).toBe(200);
    });
    await server.untilReady();
    const job = async () => server.json<ImportView>(`/imports/${id}`);
    await vi.waitFor(async () => expect((await job()).status).toBe('done'), {
      timeout: 60_000,
      interval: 100,
    });
    const { added, duplicates, failed } = await job();
    expect([added + duplicates, failed]).toEqual([count, 0]);
    const { total } = await server.json<{ total: number }>('/images');
    expect(total).toBeGreaterThanOrEqual(2 + count);
    expect(await server.stop()).toBe(0);
  });

  it('the rows are there after a restart', async () => {
    const server = await TestServer.start({ ...env, DATA_DIR: join(folder, 'a') });
    expect((await server.json<Found>('/search?q=green')).total).toBeGreaterThan(700);
    expect(await server.stop()).toBe(0);
  });
});
