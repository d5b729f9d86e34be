/** The one place that reads the environment variables of the Hugging Face hub, under their usual names. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { proxiedFetch } from './proxy.js';

export interface HubEnvironment {
  /** HF_ENDPOINT, without a slash at the end. */
  endpoint: string;
  /** HF_HUB_CACHE, or `hub` in HF_HOME. Shared with Python: same layout, same files. */
  cacheFolder: string;
  /** HF_TOKEN, or the token that `hf auth login` has stored. */
  token?: string;
  /** HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE. */
  offline: boolean;
  /** Goes through the proxy of HTTPS_PROXY or HTTP_PROXY, except to what NO_PROXY lists. */
  fetch: typeof fetch;
}

/** Reads HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE and the variables of the proxy. */
export async function readHubEnvironment(env: NodeJS.ProcessEnv = process.env): Promise<HubEnvironment> {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  const tokenPath = env.HF_TOKEN_PATH || join(home, 'token');
  const token = env.HF_TOKEN || (await readFile(tokenPath, 'utf8').catch(() => '')).trim();
  return {
    endpoint: withoutSlash(env.HF_ENDPOINT || 'https://huggingface.co'),
    cacheFolder: env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub'),
    token: token || undefined,
    offline: isTrue(env.HF_HUB_OFFLINE) || isTrue(env.TRANSFORMERS_OFFLINE),
    fetch: await proxiedFetch(env),
  };
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'true', 'yes', 'on'].includes((value ?? '').toLowerCase());
}

function withoutSlash(address: string): string {
  return address.endsWith('/') ? withoutSlash(address.slice(0, -1)) : address;
}
