/** Runs that are killed again and again end with the weights of a run that nobody disturbed. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { configFlags, start, temporaryFolder, trainer } from './cli.js';

let folder: string;
let remove: () => Promise<void>;
let flags: string[];
const inFolder = (...names: string[]) => path.join(folder, ...names);

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  const sizes = ['--size', '32', '--train', '24', '--val', '8', '--held-out', '8'];
  expect((await trainer('sample-data', '--output', inFolder('data'), ...sizes)).code).toBe(0);
  const configs = {
    heads: { epochs: EPOCHS, augmentation: 'mild', cached_views: 2 },
    everything: { epochs: 0 },
  };
  flags = await configFlags(folder, configs);
});
afterAll(() => remove());

const EPOCHS = 12;
const EXTENDED = ['--freeze-epochs', String(2 * EPOCHS), '--extend'];
/** Milliseconds; the first kills come while features are computed, or before. */
const LONGEST_LIFE = 2500;

/** Stage 1 alone, on features in a cache of its own. */
const command = (name: string, more: readonly string[]) => [
  ...['pretrain', '--data', inFolder('data'), '--output', inFolder(name), '--backend', 'onnxruntime'],
  ...['--feature-cache', inFolder(`${name}-features`), ...flags, ...more],
];

const finish = async (name: string, more: readonly string[]): Promise<void> => {
  const { code, stderr } = await trainer(...command(name, more));
  expect([code, stderr]).toEqual([0, '']);
};

/** Kills a few runs, each after a random time, and lets the last one end. @returns the times, for a failure's message */
async function finishAfterKills(name: string, kills: number, more: readonly string[]): Promise<number[]> {
  const lives = Array.from({ length: kills }, () => Math.round(Math.random() * LONGEST_LIFE));
  for (const life of lives) {
    const { child, finished } = start(command(name, more));
    await Promise.race([delay(life), finished]);
    child.kill('SIGKILL');
    await finished;
  }
  await finish(name, more);
  return lives;
}

const weights = (name: string) => readFile(inFolder(name, 'last', 'model.safetensors'));
const counters = async (name: string) => {
  const state = JSON.parse(
    await readFile(inFolder(name, 'last', 'training', 'state.json'), 'utf8'),
  ) as Record<string, unknown>;
  return {
    epoch: state.epoch,
    updates: state.updates,
    finished: state.finished,
    extensions: state.extensions,
  };
};

it('a run on cached features and its extension, killed at random moments, end with the same weights', async () => {
  await finish('calm', []);
  const lives = await finishAfterKills('killed', 2, []);
  expect(await counters('killed'), `killed after ${lives.join(', ')} ms`).toEqual(await counters('calm'));
  expect((await weights('killed')).equals(await weights('calm')), `killed after ${lives.join(', ')} ms`).toBe(
    true,
  );

  await finish('calm', EXTENDED);
  const later = await finishAfterKills('killed', 1, EXTENDED);
  expect(await counters('killed'), `killed after ${later.join(', ')} ms`).toEqual(await counters('calm'));
  expect((await weights('killed')).equals(await weights('calm')), `killed after ${later.join(', ')} ms`).toBe(
    true,
  );
  expect((await counters('calm')).extensions).toHaveLength(1);
}, 180_000);
