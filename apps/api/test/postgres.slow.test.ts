/** The service on a PostgreSQL server instead of the embedded database. */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { applyMigrations } from '../build/database/migrate.js';
import { PrismaClient } from '../build/generated/prisma/client.js';
import type { ImportView } from '../src/imports/import.schema.js';
import { totalImages } from './support/collection.js';
import type { Found } from './support/collection.js';
import { colourPng, rgbPng } from './support/images.js';
import { endOfImport, startImport } from './support/imports.js';
import { TestPostgres, postgresPrograms } from './support/postgres.js';
import { TestServer, formRequest, jsonRequest } from './support/server.js';
import { useCheckpoint, useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));
/** The first migration that a database of one embedding an image lacks. */
const GENERATIONS = '20261130000000_generations';

const installed = postgresPrograms() !== undefined;
const title = installed
  ? 'with DATABASE_URL'
  : 'with DATABASE_URL (skipped: PostgreSQL is not installed; on Debian: apt-get install postgresql)';

describe.skipIf(!installed)(title, () => {
  const folder = useFolder();
  const root = join(folder, 'root');
  const checkpoint = useCheckpoint(folder);
  let postgres: TestPostgres;

  beforeAll(async () => {
    // Its own folder: a request for an import that is answered "unavailable" may have been stored, and is run later.
    await mkdir(join(root, 'asked'), { recursive: true });
    postgres = await TestPostgres.start();
  });
  afterAll(() => postgres.stop());

  const settings = (name: string) => ({
    CLIP_CHECKPOINT: checkpoint,
    DATABASE_URL: postgres.url,
    DATA_DIR: join(folder, name),
    IMPORT_ROOT: root,
    IMPORT_LEASE: '5',
  });

  describe('two services that start at once', () => {
    const a = new TestServer(() => settings('a'), {});
    const b = new TestServer(() => settings('b'), {});

    beforeAll(() => Promise.all([a.start(), b.start()]));
    afterAll(async () => {
      expect(await Promise.all([a.stop(), b.stop()])).toEqual([0, 0]);
    });

    it('migrate once, share the rows, and see each other’s changes', async () => {
      const image = await Promise.all(['red', 'green', 'blue'].map((name) => colourPng(name)));
      const { items } = await a.json<Found>('/images', formRequest({ image, tags: 'shared' }));
      expect((await b.fetch('/images', formRequest({ image }))).status).toBe(200);
      const found = await a.json<Found>('/search?q=red&tag=shared');
      expect(found.items.map(({ id }) => id)).toContain(items[0]!.id);
      expect(found.items[0]?.score).toBeCloseTo(1, 4);
      await vi.waitFor(
        async () => expect(await b.json<Found>('/search?q=red&tag=shared')).toEqual(found),
        10_000,
      );
      await b.fetch(`/images/${items[0]!.id}`, { method: 'DELETE' });
      await vi.waitFor(
        async () => expect((await a.json<Found>('/search?q=red&tag=shared')).total).toBe(2),
        10_000,
      );
      expect(await readdir(join(folder, 'a'))).not.toContain('database');
    });

    it('run an import once; the other resumes it when the first is killed, and a restart finds the rows', async () => {
      const count = 400;
      const source = join(root, 'import');
      await mkdir(source);
      for (let n = 0; n < count; n++)
        await writeFile(join(source, `${n}.png`), await rgbPng(n % 256, n >> 8, 77));
      const before = await totalImages(a);
      const servers = [a, b];
      const asked = await Promise.all(
        [0, 1, 2, 3].map((n) => startImport(servers[n % 2]!, { path: source })),
      );
      const id = asked[0]!.id;
      expect(asked.map((job) => job.id)).toEqual([id, id, id, id]);
      const job = (server: TestServer) => server.json<ImportView>(`/imports/${id}`);
      await vi.waitFor(async () => expect((await job(a)).processed).toBeGreaterThan(31), 30_000);
      const runs = (server: TestServer) => server.output().includes(`import ${id}: `);
      expect(servers.filter(runs)).toHaveLength(1);
      const first = servers.find(runs)!;
      const other = servers.find((server) => server !== first)!;
      await first.stop('SIGKILL');
      expect((await job(other)).status).toBe('running');
      const done = await endOfImport(other, id);
      expect([done.status, done.processed]).toEqual(['done', count]);
      // A batch that was stored before the kill and not counted is counted as what it was.
      expect([done.added, done.duplicates]).toEqual([count, 0]);
      expect(await totalImages(other)).toBe(before + count);
      expect(runs(other)).toBe(true);
      await first.start();
      expect(await totalImages(first)).toBe(before + count);
      expect((await first.json<Found>('/search?q=green')).total).toBe(before + count);
    });
  });

  it('a filled database of the first version is brought up to date whole, by one of two that start at once', async () => {
    const older = join(folder, 'migrations');
    for (const name of await readdir(MIGRATIONS)) {
      if (name < GENERATIONS) await cp(join(MIGRATIONS, name), join(older, name), { recursive: true });
    }
    const connect = (url: string) => new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
    const owner = connect(postgres.url);
    await owner.$executeRawUnsafe('CREATE DATABASE "old"');
    await owner.$disconnect();
    const url = new URL('/old', postgres.url).href;
    const client = connect(url);
    await applyMigrations(client, older);
    // Images of one model and of another, and a gap where one was deleted.
    await client.$executeRawUnsafe(`
      INSERT INTO "images" ("id", "revision", "media_type", "width", "height", "bytes", "captions", "tags", "embedding", "embedding_model")
      SELECT lpad(n::text, 64, '0'), n, 'image/png', 4, 3, 100 + n, ARRAY['caption ' || n], ARRAY['tag'],
        decode(lpad(to_hex(n), 16, '0'), 'hex'), CASE WHEN n <= 200 THEN 'first' ELSE 'second' END
      FROM generate_series(1, 301) AS n`);
    await client.$executeRawUnsafe(`DELETE FROM "images" WHERE "key" = 7`);
    await client.$executeRawUnsafe(`UPDATE "collection" SET "revision" = 301`);
    const before = await client.$queryRawUnsafe(
      `SELECT "key", "id", "captions", "tags", "revision" FROM "images" ORDER BY "key"`,
    );
    const vectors = await client.$queryRawUnsafe(
      `SELECT "key", "embedding_model" AS "model", "embedding" FROM "images" ORDER BY "key"`,
    );
    await Promise.all([applyMigrations(client), applyMigrations(client)]);
    expect(
      await client.$queryRawUnsafe(
        `SELECT "key", "id", "captions", "tags", "revision" FROM "images" ORDER BY "key"`,
      ),
    ).toEqual(before);
    expect(
      await client.$queryRawUnsafe(`SELECT "key", "model", "embedding" FROM "embeddings" ORDER BY "key"`),
    ).toEqual(vectors);
    const generations = await client.generation.findMany({ orderBy: { model: 'asc' } });
    expect(generations.map(({ model, embeddingSize }) => [model, embeddingSize])).toEqual([
      ['first', 2],
      ['second', 2],
    ]);
    const added = await client.image.create({
      data: { id: 'f'.repeat(64), revision: 302, mediaType: 'image/png', width: 1, height: 1, bytes: 1 },
    });
    expect(added.key).toBe(302);
    await client.$disconnect();
  });

  describe('a database', () => {
    const server = new TestServer(() => settings('c'));

    beforeAll(() => server.start());
    afterAll(async () => {
      expect(await server.stop()).toBe(0);
    });

    it('that goes away is said, and used again when it is back', async () => {
      await server.json('/images', formRequest({ image: await colourPng('green', 5), tags: 'kept' }));
      await postgres.interrupt(async () => {
        expect(await server.problem('/readyz')).toMatchObject({ status: 503, code: 'database_unavailable' });
        expect((await server.problem('/search?q=red')).code).toBe('database_unavailable');
        expect((await server.fetch('/healthz')).status).toBe(200);
      });
      await server.untilReady();
      expect((await server.json<Found>('/search?q=green&tag=kept')).total).toBe(1);
    });

    it('that holds locks, with more requests than connections, is said within two seconds, and used again', async () => {
      const image = await colourPng('magenta', 3);
      const absent = `/images/${'0'.repeat(64)}`;
      const requests: [string, () => RequestInit | undefined][] = [
        ['/images', () => undefined],
        [absent, () => undefined],
        [`${absent}/file`, () => undefined],
        [`${absent}/thumbnail`, () => undefined],
        [absent, () => ({ method: 'DELETE' })],
        ['/images', () => formRequest({ image })],
        ['/search?q=red', () => undefined],
        ['/imports', () => undefined],
        [`/imports/${randomUUID()}`, () => undefined],
        ['/imports', () => jsonRequest({ path: 'asked', format: 'folder' })],
      ];
      await postgres.lock(['images', 'import_jobs'], async () => {
        await Promise.all(
          [...requests, ...requests].map(async ([path, request]) => {
            const start = performance.now();
            const problem = await server.problem(path, request());
            expect([path, problem.code, problem.status]).toEqual([path, 'database_unavailable', 503]);
            expect(performance.now() - start, path).toBeLessThan(2500);
          }),
        );
        expect((await server.fetch('/healthz')).status).toBe(200);
      });
      await vi.waitFor(async () => expect((await server.fetch('/images')).status).toBe(200), 30_000);
      expect((await server.fetch('/images', formRequest({ image }))).status).toBeLessThan(300);
    });

    it('that hangs is reported within two seconds on every route, and an import resumes afterwards', async () => {
      const count = 150;
      await mkdir(join(root, 'hang'));
      for (let n = 0; n < count; n++) {
        await writeFile(join(root, 'hang', `${n}.png`), await rgbPng(n, 90, 200 - n));
      }
      const before = await totalImages(server);
      const image = await colourPng('cyan', 7);
      const { id } = await startImport(server, { path: 'hang' });
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
          ['/imports', () => jsonRequest({ path: 'asked', format: 'folder' })],
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
      const { status, added, duplicates, failed } = await endOfImport(server, id);
      expect([status, added + duplicates, failed]).toEqual(['done', count, 0]);
      // The upload that was refused may have been under way: then its row is there once the database wakes.
      expect(await totalImages(server)).toBeGreaterThanOrEqual(before + count);
    });
  });
});
