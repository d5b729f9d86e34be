/**
 * A data folder whose permissions were taken away while the service runs. Root may write anywhere, so where the tests
 * are root the service becomes nobody before it starts.
 */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { totalImages } from './support/collection.js';
import { colourPng } from './support/images.js';
import { formRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
/** Module that is loaded before the program, in each of its threads; they are what their process is. */
const BECOME_NOBODY = `
  import { isMainThread } from 'node:worker_threads';
  if (isMainThread) {
    process.setgid(${NOBODY});
    process.setuid(${NOBODY});
  }`;
const nodeOptions = ['--liftoff-only'];
if (isRoot) nodeOptions.push('--import', `data:text/javascript,${encodeURIComponent(BECOME_NOBODY)}`);

describe.skipIf(process.platform === 'win32')('a data folder that may no longer be written', () => {
  const folder = useFolder();
  const data = join(folder, 'data');
  const images = join(data, 'images');
  beforeAll(() => mkdir(images, { recursive: true }));
  // The settings are asked for when the data folder is complete, right before the service starts.
  const giveAway = () => {
    if (isRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, data]);
    return {};
  };
  const server = useServer(folder, giveAway, { nodeOptions });
  // A test that fails must leave the folder as the next one needs it.
  afterEach(() => chmod(images, 0o755));

  const upload = async (colour: string) => {
    const form = formRequest({ image: await colourPng(colour) });
    return (await server.json<{ items: { id: string }[] }>('/images', form)).items[0]!.id;
  };

  it('is said with a code of its own, leaves nothing half-written, and hides nothing that is there', async () => {
    const id = await upload('red');
    const [before, total] = [await readdir(images, { recursive: true }), await totalImages(server)];
    await chmod(images, 0o555);
    const image = await Promise.all([1, 2, 3].map((mark) => colourPng('blue', mark)));
    const problem = await server.problem('/images', formRequest({ image }));
    expect([problem.status, problem.code]).toEqual([503, 'storage_unavailable']);
    expect(problem.detail).toMatch(/EACCES.*Nothing was stored/);
    expect(await readdir(images, { recursive: true })).toEqual(before);
    expect(await totalImages(server)).toBe(total);
    for (const path of ['/healthz', '/readyz', '/images', `/images/${id}/file`, '/search?q=red']) {
      expect([path, (await server.fetch(path)).status]).toEqual([path, 200]);
    }
    await chmod(images, 0o755);
    expect((await server.fetch('/images', formRequest({ image }))).status).toBe(201);
  });

  it('is distinguished from a missing image when it may not be read either', async () => {
    const id = await upload('green');
    await chmod(images, 0o000);
    for (const path of [`/images/${id}/file`, `/images/${id}/thumbnail`]) {
      const problem = await server.problem(path);
      expect([path, problem.code]).toEqual([path, 'storage_unavailable']);
    }
    await chmod(images, 0o755);
    expect((await server.fetch(`/images/${id}/thumbnail`)).status).toBe(200);
  });
});
