/** A hub on this machine and an empty cache for each test; nothing of the environment that would lead elsewhere. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { startHubServer, type HubServer } from './hub-server.js';

export const weights = randomBytes(300_000);
/** Of the model `owner/name`. */
export const FILES = {
  'config.json': Buffer.from('{"model_type":"vit"}'),
  'tokenizer.json': Buffer.from('{}'),
  'README.md': Buffer.from('# not needed'),
  'pytorch_model.bin': Buffer.from('pickle'),
  'model.safetensors': weights,
};

export interface HubTest {
  hub: HubServer;
  /** HF_HOME. */
  root: string;
}

/** What is returned has its values from the beginning of each test on. */
export function useHub(): HubTest {
  const test = {} as HubTest;
  beforeEach(async () => {
    test.root = await mkdtemp(join(tmpdir(), 'clip-hub-'));
    test.hub = await startHubServer({ ...FILES });
    for (const name of [
      'HF_HUB_CACHE',
      'HUGGINGFACE_HUB_CACHE',
      'HF_TOKEN',
      'HF_TOKEN_PATH',
      'HF_HUB_OFFLINE',
      'TRANSFORMERS_OFFLINE',
      'HTTP_PROXY',
      'http_proxy',
      'HTTPS_PROXY',
      'https_proxy',
      'NO_PROXY',
      'no_proxy',
    ]) {
      vi.stubEnv(name, '');
    }
    vi.stubEnv('HF_ENDPOINT', `${test.hub.endpoint}/`);
    vi.stubEnv('HF_HOME', test.root);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await test.hub.close();
    await rm(test.root, { recursive: true, force: true });
  });
  return test;
}
