/** Services that share a PostgreSQL database, when another checkpoint is served: one builds, all switch. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fill } from './support/collection.js';
import type { Found } from './support/collection.js';
import { colourPng } from './support/images.js';
import { TestPostgres, postgresPrograms } from './support/postgres.js';
import { TestServer, formRequest } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';
import { useCheckpoint, useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describe.skipIf(postgresPrograms() === undefined)('two services that share a database', () => {
  const folder = useFolder();
  const first = useCheckpoint(folder);
  const second = join(folder, 'second');
  const COUNT = 60;
  let checkpoint = first;
  let postgres: TestPostgres;
  const serverNamed = (name: string) =>
    new TestServer(
      () => ({
        CLIP_CHECKPOINT: checkpoint,
        DATABASE_URL: postgres.url,
        DATA_DIR: join(folder, name),
        MODEL_BUILD_RATE: '900',
        IMPORT_LEASE: '5',
      }),
      {},
    );
  const [a, b] = [serverNamed('a'), serverNamed('b')];
  beforeAll(async () => {
    await writeTinyCheckpoint(second, { gain: 0.05 });
    postgres = await TestPostgres.start();
  });
  afterAll(() => postgres.stop());

  it('answer from the old model completely, build once, and switch both, also when the builder is killed', async () => {
    type Answer = Found & { model: string };
    const search = (server: TestServer) => server.json<Answer>('/search?q=red&limit=100');
    await Promise.all([a.start(), b.start()]);
    await fill(a, COUNT);
    const old = await search(a);
    await Promise.all([a.stop(), b.stop()]);
    checkpoint = second;
    await Promise.all([a.start(), b.start()]);
    expect(await search(a)).toEqual(old);
    expect(await search(b)).toEqual(old);
    const builds = (server: TestServer) => /images are to be encoded/.test(server.output());
    await vi.waitFor(() => expect(builds(a) || builds(b)).toBe(true), 20_000);
    const [builder, other] = builds(a) ? [a, b] : [b, a];
    expect(builds(other)).toBe(false);
    // The images are stored where the service that they came to keeps them; this one is encoded by both models there.
    await other.json('/images', formRequest({ image: await colourPng('red', 3) }));
    await builder.stop('SIGKILL');
    expect((await search(other)).model).toBe(old.model);
    await builder.start();
    for (const server of [a, b]) {
      await vi.waitFor(async () => expect((await search(server)).model).not.toBe(old.model), {
        timeout: 60_000,
        interval: 100,
      });
      expect((await search(server)).total).toBe(COUNT + 1);
    }
    expect(await Promise.all([a.stop(), b.stop()])).toEqual([0, 0]);
  });
});
