import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { expect, it, vi } from 'vitest';
import { freshDataFolder } from '../../test/support/data-folder.js';
import { yieldBetweenQueries } from './yield-between-queries.js';

vi.setConfig({ testTimeout: 120_000 });

const QUERIES = 20;

it('the event loop turns between queries that wait for the embedded database, in transactions too', async () => {
  const folder = await freshDataFolder(await mkdtemp(join(tmpdir(), 'clip-turns-')));
  const engine = await PGlite.create({ dataDir: join(folder, 'database') });
  yieldBetweenQueries(engine);
  let turns = 0;
  let counting = true;
  const count = () => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const ask = (to: Pick<PGlite, 'query'>, n: number) => to.query<{ n: number }>('SELECT $1::int AS n', [n]);
  const numbers = Array.from({ length: QUERIES }, (_, n) => n);
  const answers = await Promise.all(numbers.map((n) => ask(engine, n)));
  expect(answers.map(({ rows }) => rows[0]!.n)).toEqual(numbers);
  expect(turns).toBeGreaterThanOrEqual(QUERIES);

  const before = turns;
  const [inside, outside] = await Promise.all([
    engine.transaction(async (transaction) => {
      for (const n of numbers) await ask(transaction, n);
      return (await ask(transaction, 7)).rows[0]!.n;
    }),
    ask(engine, 8),
  ]);
  expect([inside, outside.rows[0]!.n]).toEqual([7, 8]);
  expect(turns - before).toBeGreaterThanOrEqual(QUERIES);
  await expect(engine.query('SELECT nothing')).rejects.toThrow('nothing');
  expect((await ask(engine, 9)).rows[0]!.n).toBe(9);
  counting = false;
  await engine.close();
  await rm(folder, { recursive: true });
});
