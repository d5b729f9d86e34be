/** The lock of the data folder between real processes, also in pid namespaces of their own, as containers are. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';

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

interface Holder {
  child: ChildProcess;
  /** The first line: `taken` or `refused: …`. */
  result: Promise<string>;
  errors: () => string;
}

/** A data folder and the processes that take its lock. */
class LockedFolder {
  private readonly running: ChildProcess[] = [];

  private constructor(readonly folder: string) {}

  static async create(): Promise<LockedFolder> {
    return new LockedFolder(await mkdtemp(join(tmpdir(), 'clip-lock-')));
  }

  hold(wrapper: string[] = [], data = this.folder): Holder {
    const [command = '', ...args] = [...wrapper, process.execPath, PROGRAM, data];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.push(child);
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      errors += part;
    });
    const result = once(child.stdout.setEncoding('utf8'), 'data').then(([text]) => String(text).trim());
    return { child, result, errors: () => errors };
  }

  /** Leaves the lock of a process that is gone, in this pid namespace. */
  async leaveDeadLock(): Promise<void> {
    const holder = this.hold();
    expect(await holder.result).toBe('taken');
    await kill(holder);
    expect(await readdir(this.folder)).toContain('lock');
  }

  async remove(): Promise<void> {
    for (const child of this.running) child.kill('SIGKILL');
    for (const child of this.running) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    await rm(this.folder, { recursive: true });
  }
}

async function kill({ child }: Holder): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Each test has a folder of its own, so that they can wait for locks to run out at the same time. */
const it = test.extend<{ lock: LockedFolder }>({
  // vitest reads the fixtures that a fixture needs from this pattern.
  lock: async ({}, use) => {
    const lock = await LockedFolder.create();
    await use(lock);
    await lock.remove();
  },
});

describe.concurrent('the lock of the data folder', () => {
  it('is refused at once while its owner lives, free after its end, and taken over after a kill', async ({
    lock,
  }) => {
    const first = lock.hold();
    expect(await first.result).toBe('taken');
    expect(await lock.hold().result).toMatch(
      new RegExp(
        `^refused: The data folder ${lock.folder} is in use by process ${first.child.pid} on \\S+ since `,
      ),
    );
    first.child.kill('SIGTERM');
    await once(first.child, 'exit');
    expect(await readdir(lock.folder)).toEqual([]);
    await lock.leaveDeadLock();
    const start = performance.now();
    expect(await lock.hold().result).toBe('taken');
    expect(performance.now() - start).toBeLessThan(PROMISED + START);
  });

  it.for([0, 1, 2, 3])(
    'has one winner when several start at the same moment (rounds of place %i)',
    async (place, { lock }) => {
      for (let round = 0; round < 3; round++) {
        if ((place + round) % 2 === 1) await lock.leaveDeadLock();
        const holders = [lock.hold(), lock.hold(), lock.hold()];
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
    },
  );

  it('is taken over once nobody touches it, whatever is in it', async ({ lock }) => {
    const contents = ['', '{"token":"a', '{"pid":1,"startTime":"17"}', 'null'];
    const start = performance.now();
    const results = contents.map(async (content, index) => {
      const data = join(lock.folder, String(index));
      await mkdir(data);
      await writeFile(join(data, 'lock'), content);
      return lock.hold([], data).result;
    });
    expect(await Promise.all(results)).toEqual(contents.map(() => 'taken'));
    expect(performance.now() - start).toBeLessThan(PROMISED + contents.length * START);
  });

  it('is made again when somebody removes the file', async ({ lock }) => {
    const holder = lock.hold();
    expect(await holder.result).toBe('taken');
    const content = await readFile(join(lock.folder, 'lock'), 'utf8');
    await rm(join(lock.folder, 'lock'));
    await vi.waitFor(async () => expect(await readFile(join(lock.folder, 'lock'), 'utf8')).toBe(content), {
      timeout: 5000,
    });
    expect(holder.child.exitCode).toBeNull();
  });
});

const title = canUnshare
  ? 'between pid namespaces'
  : 'between pid namespaces (skipped: `unshare --pid` is not permitted here; it needs root)';

describe.skipIf(!canUnshare).concurrent(title, () => {
  it('is refused while its owner lives, and taken over within the promised time after a kill', async ({
    lock,
  }) => {
    const first = lock.hold(UNSHARE);
    expect(await first.result).toBe('taken');
    expect(JSON.parse(await readFile(join(lock.folder, 'lock'), 'utf8'))).toMatchObject({ pid: 1 });
    expect(await lock.hold(UNSHARE).result).toMatch(
      /^refused: The data folder \S+ is in use by process 1 on /,
    );
    expect(await lock.hold().result).toMatch(/^refused: /);
    await kill(first);
    const start = performance.now();
    expect(await lock.hold(UNSHARE).result).toBe('taken');
    expect(performance.now() - start).toBeLessThan(PROMISED + START);
  });

  it('has one winner when several take it over at the same moment', async ({ lock }) => {
    const first = lock.hold(UNSHARE);
    expect(await first.result).toBe('taken');
    await kill(first);
    const results = await Promise.all(
      [lock.hold(UNSHARE), lock.hold(UNSHARE), lock.hold()].map(({ result }) => result),
    );
    expect(results.filter((result) => result === 'taken')).toHaveLength(1);
  });

  it('an owner that was frozen for too long kills itself when it wakes', async ({ lock }) => {
    const first = lock.hold();
    expect(await first.result).toBe('taken');
    first.child.kill('SIGSTOP');
    const second = lock.hold(UNSHARE);
    expect(await second.result).toBe('taken');
    first.child.kill('SIGCONT');
    const [, signal] = (await once(first.child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    expect(first.errors()).toMatch(/lock .* is lost: another process has taken it over/);
    await delay(1000);
    expect(second.child.exitCode).toBeNull();
  });
});
