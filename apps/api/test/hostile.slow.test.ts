/** Requests meant to take the service down: none blocks it, fills its memory or makes it fail. */
import { describe, expect, it, vi } from 'vitest';
import { attack, fuzz } from '../hostile/attack.mjs';
import type { Result } from '../hostile/attack.mjs';
import { exchange, head } from '../hostile/wire.mjs';
import { colourPng } from './support/images.js';
import { formRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 240_000 });

/**
 * Longest time that /healthz may wait, in milliseconds on the clock, less what other programs took from it: they must
 * not make the service look blocked.
 */
const LONGEST_WAIT = 1000;
/** Maximum memory, in MiB. */
const MEMORY = 1024;

// As its users start it, since its speed is judged; with all formats, since each has a decoder to be attacked.
const server = useServer(useFolder(), { IMAGE_FORMATS: 'jpeg,png,webp,gif,avif,tiff' }, { nodeOptions: [] });

/** What a result does that it must not. */
function faults({ name, statuses, seen, text }: Result): string[] {
  const found: string[] = [];
  const report = (what: string) => found.push(`${name}: ${what}`);
  if (statuses.some((status) => status !== undefined && status >= 500 && status !== 503)) report(text);
  const { wait, blocked } = seen;
  if (blocked > LONGEST_WAIT)
    report(`/healthz waited ${Math.round(wait)} ms, ${Math.round(blocked)} ms of it for the service`);
  if (seen.memory > MEMORY) report(`${Math.round(seen.memory)} MiB of memory`);
  if (seen.failures > 0) report(`${seen.failures} health checks failed`);
  return found;
}

async function classifiesStill(): Promise<void> {
  const form = formRequest({ image: await colourPng('red'), labels: ['blue', 'red', 'green'] });
  const answer = await server.fetch('/classify', form);
  expect(answer.status).toBe(200);
  expect(((await answer.json()) as { label: string }[])[0]?.label).toBe('red');
}

describe('hostile requests', () => {
  it('do no harm, each of the known ones', async () => {
    const found: string[] = [];
    for await (const result of attack(server.url, server.pid, { floodFor: 250 })) {
      found.push(...faults(result));
    }
    expect(found).toEqual([]);
    await classifiesStill();
  });

  // 3,000 more, as the benchmark sends them, reach hardly any code of the service that these do not.
  it('do no harm, 2,000 made from the OpenAPI document', async () => {
    const found: string[] = [];
    for await (const result of fuzz(server.url, server.pid, { count: 2000, seed: 13 })) {
      found.push(...faults(result));
    }
    expect(found).toEqual([]);
    await classifiesStill();
  });

  it('are refused before their body is sent when the client asks first', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': 10, Expect: '100-continue' };
    const refused = await exchange(server.url, { parts: [head('POST', '/nothing', headers)] });
    expect([refused.status, refused.text.includes('100 Continue')]).toEqual([404, false]);
    const large = { ...headers, 'Content-Length': 100_000_000 };
    const tooLarge = await exchange(server.url, { parts: [head('POST', '/imports', large)] });
    expect(tooLarge.status).toBe(413);
    const body = '{"texts":["red"]}';
    const taken = { ...headers, 'Content-Length': body.length };
    const accepted = await exchange(server.url, { parts: [head('POST', '/embed', taken), body], pause: 50 });
    expect(accepted.status).toBe(200);
  });
});
