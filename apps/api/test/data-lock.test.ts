/** The lock of the data folder between real processes, also in pid namespaces of their own, as containers are. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000 });

const PROGRAM = fileURLToPath(new URL('./support/hold-lock.mjs', import.meta.url));
/** What docs/api.md promises after a kill, in milliseconds. */
const PROMISED = 8000;
/** What starting a process may take on a busy machine, in milliseconds. */
const START = 4000;
const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL'];

const canUnshare = (() => {
  try {
    execFileSync(UNSHARE[0]!, [...UNSHARE.slice(1), 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

let folder: string;
let running: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-lock-'));
  running = [];
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  for (const child of running) {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await rm(folder, { recursive: true });
});

interface Holder {
  child: ChildProcess;
  /** The first line: `taken` or `refused: …`. */
  result: Promise<string>;
  errors: () => string;
}

function hold(wrapper: string[] = [], data = folder): Holder {
  const [command = '', ...args] = [...wrapper, process.execPath, PROGRAM, data];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    errors += part;
  });
  const result = once(child.stdout.setEncoding('utf8'), 'data').then(([text]) => String(text).trim());
  return { child, result, errors: () => errors };
}

async function kill({ child }: Holder): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** The lock of a process that is gone, in this pid namespace. */
async function leaveDeadLock(): Promise<void> {
  const holder = hold();
  expect(await holder.result).toBe('taken');
  await kill(holder);
  expect(await readdir(folder)).toContain('lock');
}

describe('the lock of the data folder', () => {
  it('is refused at once while its owner lives, free after its end, and taken over after a kill', async () => {
    const first = hold();
    expect(await first.result).toBe('taken');
    expect(await hold().result).toMatch(
      new RegExp(
        `^refused: The data folder ${folder} is in use by process ${first.child.pid} on \\S+ since `,
      ),
    );
    first.child.kill('SIGTERM');
    await once(first.child, 'exit');
    expect(await readdir(folder)).toEqual([]);
    await leaveDeadLock();
    const start = performance.now();
    expect(await hold().result).toBe('taken');
    expect(performance.now() - start).toBeLessThan(PROMISED + START);
  });

  it('has one winner when several start at the same moment, in each of 20 rounds', async () => {
    for (let round = 0; round < 20; round++) {
      if (round % 2 === 1) await leaveDeadLock();
      const holders = [hold(), hold(), hold()];
      const results = await Promise.all(holders.map(({ result }) => result));
      expect([round, results.filter((result) => result === 'taken').length, results]).toEqual([
        round,
        1,
        expect.anything(),
      ]);
      await Promise.all(
        holders.map(async ({ child }) => child.exitCode ?? (child.kill('SIGTERM'), once(child, 'exit'))),
      );
    }
  });

  it('is taken over once nobody touches it, whatever is in it', async () => {
    const contents = ['', '{"token":"a', '{"pid":1,"startTime":"17"}', 'null'];
    const start = performance.now();
    const results = contents.map(async (content, index) => {
      const data = join(folder, String(index));
      await mkdir(data);
      await writeFile(join(data, 'lock'), content);
      return hold([], data).result;
    });
    expect(await Promise.all(results)).toEqual(contents.map(() => 'taken'));
    expect(performance.now() - start).toBeLessThan(PROMISED + contents.length * START);
  });

  it('is made again when somebody removes the file', async () => {
    const holder = hold();
    expect(await holder.result).toBe('taken');
    const content = await readFile(join(folder, 'lock'), 'utf8');
    await rm(join(folder, 'lock'));
    await vi.waitFor(async () => expect(await readFile(join(folder, 'lock'), 'utf8')).toBe(content), {
      timeout: 5000,
    });
    expect(holder.child.exitCode).toBeNull();
  });
});

const title = canUnshare
  ? 'between pid namespaces'
  : 'between pid namespaces (skipped: `unshare --pid` is not permitted here; it needs root)';

describe.skipIf(!canUnshare)(title, () => {
  it('is refused while its owner lives, and taken over within the promised time after a kill', async () => {
    const first = hold(UNSHARE);
    expect(await first.result).toBe('taken');
    expect(JSON.parse(await readFile(join(folder, 'lock'), 'utf8'))).toMatchObject({ pid: 1 });
    expect(await hold(UNSHARE).result).toMatch(/^refused: The data folder \S+ is in use by process 1 on /);
    expect(await hold().result).toMatch(/^refused: /);
    await kill(first);
    const start = performance.now();
    expect(await hold(UNSHARE).result).toBe('taken');
    expect(performance.now() - start).toBeLessThan(PROMISED + START);
  });

  it('has one winner when several take it over at the same moment', async () => {
    const first = hold(UNSHARE);
    expect(await first.result).toBe('taken');
    await kill(first);
    const results = await Promise.all([hold(UNSHARE), hold(UNSHARE), hold()].map(({ result }) => result));
    expect(results.filter((result) => result === 'taken')).toHaveLength(1);
  });

  it('an owner that was frozen for too long kills itself when it wakes', async () => {
    const first = hold();
    expect(await first.result).toBe('taken');
    first.child.kill('SIGSTOP');
    const second = hold(UNSHARE);
    expect(await second.result).toBe('taken');
    first.child.kill('SIGCONT');
    const [, signal] = (await once(first.child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    expect(first.errors()).toMatch(/lock .* is lost: another process has taken it over/);
    await delay(1000);
    expect(second.child.exitCode).toBeNull();
  });
});
