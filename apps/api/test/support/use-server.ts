/** What the tests of a file, or of one `describe`, share: made before the first of them, gone after the last. */
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { freshDataFolder } from './data-folder.js';
import { TestServer } from './server.js';
import type { OwnProcess } from './server.js';
import { writeTinyCheckpoint } from './tiny-checkpoint.js';

type Settings = Record<string, string>;

/** The path of a temporary folder that exists while the tests run. */
export function useFolder(): string {
  const folder = join(tmpdir(), `clip-api-${randomUUID()}`);
  beforeAll(() => mkdir(folder));
  afterAll(() => rm(folder, { recursive: true }));
  return folder;
}

/** The path of a tiny checkpoint in `folder`. */
export function useCheckpoint(folder: string): string {
  const checkpoint = join(folder, 'checkpoint');
  beforeAll(() => writeTinyCheckpoint(checkpoint));
  return checkpoint;
}

/**
 * A service that runs while the tests do, with its checkpoint and its data in `folder`. Settings that are known only
 * after the hooks before it have run come from a function; `how` as in TestServer. It must end cleanly.
 */
export function useServer(
  folder: string,
  settings: Settings | (() => Settings) = {},
  how?: OwnProcess,
): TestServer {
  const checkpoint = useCheckpoint(folder);
  const data = join(folder, 'data');
  const server = new TestServer(
    () => ({
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: data,
      ...(typeof settings === 'function' ? settings() : settings),
    }),
    how,
  );
  beforeAll(async () => {
    await freshDataFolder(data);
    await server.start();
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });
  return server;
}
