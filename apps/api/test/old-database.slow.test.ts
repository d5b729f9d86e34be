/** A data folder that an older version left: it opens, and its embeddings answer as before. */
import { mkdir, readdir, cp, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import sharp from 'sharp';
import { expect, it, vi } from 'vitest';
import { applyMigrations } from '../build/database/migrate.js';
import { PrismaClient } from '../build/generated/prisma/client.js';
import type { Found } from './support/collection.js';
import { freshDataFolder } from './support/data-folder.js';
import { colourPng } from './support/images.js';
import { TestServer, formRequest } from './support/server.js';
import { useCheckpoint, useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));
/** The first migration that such a folder lacks. */
const GENERATIONS = '20261130000000_generations';

const folder = useFolder();
const checkpoint = useCheckpoint(folder);

it('the data folder of a version with one embedding an image opens, and its embeddings answer', async () => {
  const data = join(folder, 'data');
  const older = join(folder, 'migrations');
  for (const name of await readdir(MIGRATIONS)) {
    if (name < GENERATIONS) await cp(join(MIGRATIONS, name), join(older, name), { recursive: true });
  }
  const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: data };
  // The hash of the model and true embeddings, as the present version gives them.
  const maker = await TestServer.start({ ...env, DATA_DIR: await freshDataFolder(join(folder, 'maker')) });
  const images = await Promise.all(['red', 'green', 'blue'].map((name) => colourPng(name)));
  const exif = { IFD2: { DateTimeOriginal: '2024:06:12 18:32:05' } };
  images[1] = new Uint8Array(await sharp(images[1]).withExif(exif).png().toBuffer());
  const { model, embeddings } = await maker.json<{ model: string; embeddings: number[][] }>(
    '/embed',
    formRequest({ image: images }),
  );
  expect(await maker.stop()).toBe(0);

  const engine = await PGlite.create({ dataDir: join(await freshDataFolder(data), 'database') });
  await engine.exec('DROP SCHEMA "public" CASCADE; CREATE SCHEMA "public"');
  const client = new PrismaClient({ adapter: new PrismaPGlite(engine) });
  await applyMigrations(client, older);
  const ids: string[] = [];
  for (const [index, bytes] of images.entries()) {
    const id = createHash('sha256').update(bytes).digest('hex');
    ids.push(id);
    await mkdir(join(data, 'images', id.slice(0, 2)), { recursive: true });
    await writeFile(join(data, 'images', id.slice(0, 2), `${id}.png`), bytes);
    const vector = Buffer.from(Float32Array.from(embeddings[index]!).buffer);
    await engine.query(
      `INSERT INTO "images" ("id", "revision", "media_type", "width", "height", "bytes", "captions", "tags", "embedding", "embedding_model")
       VALUES ($1, $2, 'image/png', 40, 30, $3, '{"a caption"}', '{"kept"}', $4, $5)`,
      [id, index + 1, bytes.length, vector, model],
    );
  }
  // A gap in the numbers: they are never given twice.
  await engine.exec(`UPDATE "collection" SET "revision" = 3; DELETE FROM "images" WHERE "id" = '${ids[2]!}'`);
  await client.$disconnect();
  await engine.close();

  const server = await TestServer.start(env);
  const { items, total } = await server.json<{
    total: number;
    items: { id: string; score: number; captions: string[] }[];
  }>('/search?q=red&tag=kept');
  expect(total).toBe(2);
  expect(items.map(({ id, captions }) => [id, captions])).toEqual([
    [ids[0], ['a caption']],
    [ids[1], ['a caption']],
  ]);
  expect(items[0]!.score).toBeCloseTo(1, 4);
  expect(server.output()).not.toMatch(/to be encoded/);
  const { items: known } = await server.json<{ items: { state: string; missing: number; images: number }[] }>(
    '/models',
  );
  expect(known).toMatchObject([{ state: 'active', images: 2, missing: 0 }]);
  // When its images were taken is read from their files.
  await vi.waitFor(async () => {
    const { items } = await server.json<{ items: { id: string; takenAt: string | null }[] }>(
      '/search?q=red&takenFrom=2024-06-12&takenTo=2024-06-12',
    );
    expect(items).toMatchObject([{ id: ids[1], takenAt: '2024-06-12T18:32:05' }]);
  }, 10_000);
  // Its numbers go on, and a deletion takes the embedding with it.
  await server.json('/images', formRequest({ image: images[2]! }));
  expect((await server.fetch(`/images/${ids[0]!}`, { method: 'DELETE' })).status).toBe(204);
  expect((await server.json<Found>('/search?q=blue')).items.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
  expect(await server.stop()).toBe(0);
});
