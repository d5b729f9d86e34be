/** The HNSW graph that takes over from the exact index, over its whole life. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { fill, idsByCursor } from './support/collection.js';
import type { Found } from './support/collection.js';
import { freshDataFolder } from './support/data-folder.js';
import { TestServer } from './support/server.js';
import { useCheckpoint, useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = useFolder();
const checkpoint = useCheckpoint(folder);

describe('the search graph', () => {
  it('takes over from the exact index, is saved, loaded, brought up to date, and rebuilt when damaged', async () => {
    const env = {
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'graph')),
      EXACT_SEARCH_LIMIT: '50',
    };
    let server = await TestServer.start(env);
    const { model } = await server.json<{ model: { hash: string } }>('/readyz');
    const snapshot = join(env.DATA_DIR, 'index', model.hash, 'hnsw-0.bin');
    await fill(server, 90);
    await untilGraph(server);
    const found = await server.json<Found>('/search?q=yellow&limit=60');
    const pages = [0, 20, 40].map((offset) =>
      server.json<Found>(`/search?q=yellow&limit=20&offset=${offset}`),
    );
    expect((await Promise.all(pages)).flatMap(({ items }) => items)).toEqual(found.items);
    const last = await server.json<Found>('/search?q=yellow&limit=20&offset=80');
    expect([last.items.length, last.total]).toEqual([10, 90]);
    expect((await server.json<Found>('/search?q=yellow&limit=20&offset=90')).items).toEqual([]);
    // What the graph left out of the first page comes with the next ones, and nothing comes twice.
    const read = await idsByCursor(server, '/search?q=yellow&limit=20');
    expect(read.slice(0, 20)).toEqual(found.items.slice(0, 20).map(({ id }) => id));
    expect([read.length, new Set(read).size]).toEqual([90, 90]);
    const gone = found.items[0]!.id;
    await server.fetch(`/images/${gone}`, { method: 'DELETE' });
    await fill(server, 10, 90);
    await server.stop();
    expect((await stat(snapshot)).size).toBeGreaterThan(1000);

    server = await TestServer.start(env, {});
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
    const exact = await onBothIndexes(env, server);
    expect(exact.graph).toEqual(exact.plain);
  });

  /** The same question to the graph and, after a restart, to the exact index. */
  async function onBothIndexes(env: Record<string, string>, graphServer: TestServer) {
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
