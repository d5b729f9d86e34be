/** Stopping, killing and starting again: what must survive. */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { fill } from './support/collection.js';
import type { Found } from './support/collection.js';
import { freshDataFolder } from './support/data-folder.js';
import { rgbPng } from './support/images.js';
import { TestServer, formRequest, runToEnd } from './support/server.js';
import { useCheckpoint, useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = useFolder();
const checkpoint = useCheckpoint(folder);

describe('the data', () => {
  it('survive a stop and a kill, and belong to one process at a time', async () => {
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: await freshDataFolder(join(folder, 'kept')) };
    let server = await TestServer.start(env, {});
    await fill(server, 20);
    const before = await server.json<Found>('/search?q=red&limit=20');
    const second = await runToEnd(env);
    expect([second.code, second.output]).toEqual([2, expect.stringMatching(/in use by process/)]);
    expect(await server.stop()).toBe(0);
    server = await TestServer.start(env, {});
    expect(await server.json<Found>('/search?q=red&limit=20')).toEqual(before);
    await fill(server, 20, 20);
    await server.stop('SIGKILL');

    server = await TestServer.start(env, {});
    expect(await server.json<Found>('/search?q=red&limit=1')).toMatchObject({ total: 40 });
    await server.stop();
  });
});

describe('stopping', () => {
  it('finishes the requests that run, waits for no connection without one and leaves no lock behind, though nobody reads the log any more', async () => {
    const data = await freshDataFolder(join(folder, 'stopping'));
    const server = await TestServer.start({ CLIP_CHECKPOINT: checkpoint, DATA_DIR: data }, {});
    await server.closeOutput();
    // Each writes a line of the log.
    for (let n = 0; n < 3; n++) expect(await server.json<Found>('/search?q=red')).toMatchObject({ total: 0 });
    const running = Array.from({ length: 8 }, async (_, n) =>
      server.fetch('/images', formRequest({ image: await rgbPng(n, 2, 3) })),
    );
    await delay(30);
    // A browser opens connections in advance: nothing is asked on them.
    const silent = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => undefined);
    await once(silent, 'connect');
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
