/**
 * A private PostgreSQL server for a test: its own folder, its own port, no superuser password, gone afterwards.
 * Uses the programs of Debian's package `postgresql` where they are; they refuse to run as root.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chown, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALLED = '/usr/lib/postgresql';

/** Folder of the newest installed server programs, or undefined. */
export function postgresPrograms(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined;
  const versions = readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a));
  return versions
    .map((version) => join(INSTALLED, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

export class TestPostgres {
  private constructor(
    private readonly programs: string,
    private readonly folder: string,
    private readonly control: (...args: string[]) => Promise<unknown>,
    private readonly startArguments: readonly string[],
    readonly url: string,
  ) {}

  static async start(): Promise<TestPostgres> {
    const bin = postgresPrograms()!;
    const folder = await mkdtemp(join(tmpdir(), 'clip-postgres-'));
    const owner = unprivileged();
    if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
    const data = join(folder, 'data');
    const options = { ...owner, cwd: folder };
    await run(join(bin, 'initdb'), ['-D', data, '-U', 'test', '-A', 'trust', '--no-sync'], options);
    const port = await freePort();
    const control = (...args: string[]) => run(join(bin, 'pg_ctl'), ['-D', data, '-w', ...args], options);
    const settings = `-p ${port} -h 127.0.0.1 -k ${folder} -c fsync=off`;
    const startArguments = ['-l', join(folder, 'log'), '-o', settings, 'start'];
    await control(...startArguments);
    return new TestPostgres(
      bin,
      folder,
      control,
      startArguments,
      `postgresql://test@127.0.0.1:${port}/postgres`,
    );
  }

  /** Stops the server, runs `during`, and starts it again. */
  async interrupt(during: () => Promise<void>): Promise<void> {
    await this.control('-m', 'fast', 'stop');
    try {
      await during();
    } finally {
      await this.control(...this.startArguments);
    }
  }

  /** Locks tables against everybody else while `during` runs. */
  async lock(tables: readonly string[], during: () => Promise<void>): Promise<void> {
    const psql = spawn(join(this.programs, 'psql'), ['-q', this.url], { stdio: ['pipe', 'pipe', 'inherit'] });
    psql.stdin.write(`BEGIN; LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE;\n\\echo locked\n`);
    await once(psql.stdout, 'data');
    try {
      await during();
    } finally {
      psql.stdin.end();
      await once(psql, 'close');
    }
  }

  /** Freezes every process of the server: connections are taken by the kernel, and nobody answers. */
  async freeze(during: () => Promise<void>): Promise<void> {
    const [line] = (await readFile(join(this.folder, 'data', 'postmaster.pid'), 'utf8')).split('\n');
    const main = Number(line);
    const frozen = [main, ...(await childrenOf(main))];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    try {
      await during();
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
    }
  }

  async stop(): Promise<void> {
    await this.control('-m', 'immediate', 'stop');
    await rm(this.folder, { recursive: true });
  }
}

/** Processes whose parent is `pid` (field 4 of proc(5) stat). */
async function childrenOf(pid: number): Promise<number[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const children: number[] = [];
  for (const number of numbers) {
    const stat = await readFile(`/proc/${number}/stat`, 'utf8').catch(() => '');
    if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid)) children.push(Number(number));
  }
  return children;
}

/** The user to run as when the tests run as root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
