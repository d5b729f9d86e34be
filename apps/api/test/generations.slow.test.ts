/** A new checkpoint over a collection: built beside the model that answers, taking over in one step, and the way back. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { fill, totalImages } from './support/collection.js';
import type { Found } from './support/collection.js';
import { copyDataFolder, freshDataFolder } from './support/data-folder.js';
import { colourPng } from './support/images.js';
import { TestServer, formRequest, jsonRequest } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';
import { useCheckpoint, useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Model {
  hash: string;
  state: string;
  images: number;
  missing: number;
  available: boolean;
  checkpoint: boolean;
}
interface Answer extends Found {
  model: string;
}

const folder = useFolder();
const first = useCheckpoint(folder);
const second = join(folder, 'second');
beforeAll(() => writeTinyCheckpoint(second, { gain: 0.05 }));

const search = (server: TestServer) => server.json<Answer>('/search?q=red&limit=100');
const models = async (server: TestServer) => (await server.json<{ items: Model[] }>('/models')).items;
const answering = async (server: TestServer) =>
  (await server.json<{ model: { hash: string } }>('/readyz')).model.hash;
const activate = (server: TestServer, hash: string) =>
  server.fetch(`/models/${hash}/activate`, { method: 'POST' });

/** Scores by image, as each model gives them when it has everything to itself. */
const scoresOf = ({ items }: Answer) => new Map(items.map(({ id, score }) => [id, score]));

async function untilAnswers(server: TestServer, hash: string): Promise<void> {
  await vi.waitFor(async () => expect(await answering(server)).toBe(hash), {
    timeout: 60_000,
    interval: 100,
  });
}

const COUNT = 60;
/** A data folder that a service with the first checkpoint has left, with COUNT images. Each test gets a copy. */
const kept = join(folder, 'kept');
let old: Answer;
beforeAll(async () => {
  const server = await TestServer.start({
    CLIP_CHECKPOINT: first,
    DATA_DIR: await freshDataFolder(kept),
  });
  await fill(server, COUNT);
  old = await search(server);
  expect(await server.stop()).toBe(0);
});

function copyOfKept(name: string): string {
  const data = join(folder, name);
  copyDataFolder(kept, data);
  return data;
}

/** At these rates, in images a minute, a build takes a few seconds or longer than a test. */
const SLOW = '1200';
const SLOWER = '60';

describe('another checkpoint over a collection', () => {
  it('is built in the background, takes over in one step, and gives way again at once', async () => {
    const data = copyOfKept('switched');
    const env = { CLIP_CHECKPOINT: second, DATA_DIR: data, MODEL_BUILD_RATE: SLOW };
    let server = await TestServer.start(env);
    expect(await search(server)).toEqual(old);
    const list = await models(server);
    expect(list.map(({ state, checkpoint }) => [state, checkpoint])).toEqual([
      ['active', false],
      ['building', true],
    ]);
    const [a, b] = list.map(({ hash }) => hash) as [string, string];
    expect(list[1]!.missing).toBeGreaterThan(0);
    const { model, embeddings } = await server.postJson<{ model: string; embeddings: number[][] }>('/embed', {
      texts: ['red'],
    });
    const form = formRequest({ image: await colourPng('red'), labels: 'red' });
    const classified = await server.fetch('/classify', form);
    expect([model, classified.headers.get('x-model')]).toEqual([a, a]);
    // What comes meanwhile is found at once, and by the new model too.
    const image = await colourPng('red', 9);
    const { items } = await server.json<Found>('/images', formRequest({ image }));
    expect((await search(server)).items.map(({ id }) => id)).toContain(items[0]!.id);
    const seen = new Set<string>();
    for (;;) {
      const answer = await search(server);
      expect([answer.total, answer.items.length]).toEqual([COUNT + 1, COUNT + 1]);
      if (answer.model === b) break;
      expect(answer.model).toBe(a);
      // Often, to meet the moment in which the new model is complete and its index is being opened.
      for (let i = 0; i < 20; i++) {
        seen.add((await models(server)).map(({ state }) => state).join());
        await delay(5);
      }
    }
    expect([...seen].filter((list) => list !== 'ready,active')).toEqual(['active,building']);
    const states = async () => (await models(server)).map(({ state, missing }) => [state, missing]);
    // What took long to count is given again for a while.
    const both = [
      ['ready', 0],
      ['active', 0],
    ];
    await vi.waitFor(async () => expect(await states()).toEqual(both), 10_000);
    const vector = { vector: embeddings[0]!, model: a };
    const refused = await server.problem('/search/vector', jsonRequest(vector));
    expect([refused.code, refused.detail]).toEqual(['invalid_vector', expect.stringContaining(b)]);
    await vi.waitFor(
      async () => expect(await (await server.fetch('/metrics')).text()).toMatch(/^models_loaded 1$/m),
      10_000,
    );

    // Back to the old model, which has not seen what came since; it catches up in the background.
    await server.json('/images', formRequest({ image: await colourPng('red', 11) }));
    const missing = async () => (await states()).map(([, count]) => count);
    await vi.waitFor(async () => expect(await missing()).toEqual([1, 0]), 10_000);
    expect((await activate(server, a)).status).toBe(200);
    const back = await search(server);
    expect(back.model).toBe(a);
    expect(back.items).toEqual(expect.arrayContaining(old.items));
    await vi.waitFor(async () => expect((await search(server)).total).toBe(COUNT + 2), 20_000);
    expect(await server.stop()).toBe(0);
    server = await TestServer.start(env);
    expect((await search(server)).model).toBe(a);
    expect((await activate(server, b)).status).toBe(200);
    expect(await search(server)).toMatchObject({ model: b, total: COUNT + 2 });

    // What a model took is freed, but not of the one that answers.
    const remove = { method: 'DELETE' };
    expect((await server.problem(`/models/${b}`, remove)).code).toBe('model_in_use');
    for (const [none, refusal] of [
      ['0'.repeat(64), 'model_not_found'],
      ['%00', 'invalid_request'],
      [`${b}%00`, 'invalid_request'],
    ] as const) {
      for (const [path, method] of [
        ['', 'GET'],
        ['', 'DELETE'],
        ['/activate', 'POST'],
      ] as const) {
        const { code } = await server.problem(`/models/${none}${path}`, { method });
        expect([none, method, code]).toEqual([none, method, refusal]);
      }
    }
    expect((await server.fetch(`/models/${a}`, remove)).status).toBe(204);
    expect((await server.problem(`/models/${a}`)).code).toBe('model_not_found');
    await vi.waitFor(async () => expect(await readdir(join(data, 'models'))).toEqual([b]), 10_000);
    expect(server.output()).toContain('DELETE /models/:hash: done');
    expect(await server.stop()).toBe(0);
  });

  it('can be given up while it is built, and answers with what it has when the old model’s files are gone', async () => {
    const data = copyOfKept('given-up');
    const env = { CLIP_CHECKPOINT: second, DATA_DIR: data, MODEL_BUILD_RATE: SLOWER };
    let server = await TestServer.start(env);
    const a = old.model;
    const b = (await models(server)).find(({ state }) => state === 'building')!.hash;
    expect((await server.fetch(`/models/${b}`, { method: 'DELETE' })).status).toBe(204);
    expect((await models(server)).map(({ hash, state }) => [hash, state])).toEqual([[a, 'active']]);
    expect(await search(server)).toEqual(old);
    // Asking for it again begins anew.
    expect((await activate(server, b)).status).toBe(202);
    expect((await models(server)).find(({ hash }) => hash === b)).toMatchObject({ state: 'building' });
    expect(await server.stop()).toBe(0);

    await rm(join(data, 'models', a), { recursive: true });
    server = await TestServer.start({ ...env, MODEL_BUILD_RATE: '0' });
    expect(await answering(server)).toBe(b);
    await vi.waitFor(async () => {
      const found = (await models(server)).find(({ hash }) => hash === b);
      expect(found).toMatchObject({ state: 'active', missing: 0 });
      // The index follows the database.
      expect((await search(server)).total).toBe(COUNT);
    }, 20_000);
    const refused = await server.problem(`/models/${a}/activate`, { method: 'POST' });
    expect(refused.code).toBe('model_unavailable');
    expect(await server.stop()).toBe(0);
  });
});

describe('kill -9 during a switch', () => {
  it('ten times leaves every answer whole, by one model or the other', async () => {
    const env = { CLIP_CHECKPOINT: second, DATA_DIR: copyOfKept('killed'), MODEL_BUILD_RATE: '600' };
    let server = new TestServer(() => env, {});
    let startTime = 0;
    for (let kill = 0; kill < 10; kill++) {
      const began = performance.now();
      const started = server.start();
      // Four are killed while they build and answer, the others while they start: after a tenth of that time and so on.
      if (kill % 3 !== 0) {
        const settled = Promise.allSettled([started]);
        await delay((kill / 10) * startTime);
        expect(await server.stop('SIGKILL')).toBeNull();
        await settled;
        continue;
      }
      await started;
      startTime = performance.now() - began;
      const answer = await search(server);
      expect(answer.items).toHaveLength(COUNT);
      if (answer.model === old.model) expect(scoresOf(answer)).toEqual(scoresOf(old));
      await delay(kill * 60);
      expect(await server.stop('SIGKILL')).toBeNull();
    }
    server = await TestServer.start(env);
    const { hash } = (await models(server)).find(({ checkpoint }) => checkpoint)!;
    await untilAnswers(server, hash);
    const last = await search(server);
    expect(last.items).toHaveLength(COUNT);
    expect(scoresOf(last)).not.toEqual(scoresOf(old));
    expect(await totalImages(server)).toBe(COUNT);
    // Each score is that of the new model's own embeddings.
    const embed = async (request: RequestInit) =>
      (await server.json<{ embeddings: number[][] }>('/embed', request)).embeddings;
    const [query] = await embed(jsonRequest({ texts: ['red'] }));
    const image = await Promise.all(
      last.items
        .slice(0, 10)
        .map(
          async ({ id }) => new Uint8Array(await (await server.fetch(`/images/${id}/file`)).arrayBuffer()),
        ),
    );
    const embeddings = await embed(formRequest({ image }));
    for (const [n, vector] of embeddings.entries()) {
      const cosine = vector.reduce((sum, value, e) => sum + value * query![e]!, 0);
      expect(last.items[n]!.score).toBeCloseTo(cosine, 5);
    }
    expect(await server.stop()).toBe(0);
  });
});
