/** Starts the built service, as the program `node dist/main.js` or in a process that hosts several, and talks to it over HTTP. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { ProblemBody } from '../../src/problems/catalogue.js';
import { startHosted } from './hosted-service.js';
import type { HostedService } from './hosted-service.js';
import { QUICK_START } from './quick-start.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** How long a service may take to start, in milliseconds. */
const PATIENCE = 120_000;

interface Finished {
  code: number | null;
  output: string;
}

/** Runs the program to its end, for starts that must fail. */
export async function runToEnd(env: Record<string, string>, args: string[] = []): Promise<Finished> {
  const { child, output } = start(QUICK_START, env, args);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output: output() };
}

/** A service that is a process of its own, for tests of what happens to a process. */
export interface OwnProcess {
  /** For Node.js itself; none start the service as its users do. */
  nodeOptions?: readonly string[];
  /** A program that starts what is named after it, with its arguments. */
  launcher?: readonly string[];
}

/** A service that can be started, ended and started again with the same settings. */
export class TestServer {
  private hosted: HostedService | undefined;
  private process: { child: ChildProcess; output: () => string } | undefined;
  private address: string | undefined;

  /** @param how as a process of its own; else it shares one with others, which starts it sooner */
  constructor(
    private readonly settings: () => Record<string, string>,
    private readonly how?: OwnProcess,
  ) {}

  /** Starts the service on a free port and waits until it is ready. */
  static async start(settings: Record<string, string>, how?: OwnProcess): Promise<TestServer> {
    const server = new TestServer(() => settings, how);
    await server.start();
    return server;
  }

  /** Starts it, the first time or again after its end, and waits until it is ready. */
  async start(): Promise<void> {
    const settings = { PORT: '0', ...this.settings() };
    if (this.how === undefined) {
      this.hosted = await startHosted(settings);
      this.address = this.hosted.url;
    } else {
      const { nodeOptions = QUICK_START, launcher } = this.how;
      this.process = start(nodeOptions, settings, [], launcher);
      this.address = await untilListening(this.process.child, this.process.output);
    }
    await this.untilReady();
  }

  private get child(): ChildProcess {
    if (this.hosted !== undefined) throw new Error('the service is no process of its own');
    if (this.process === undefined) throw new Error('the service was not started');
    return this.process.child;
  }

  /** Of the process. */
  get pid(): number {
    return this.child.pid!;
  }

  get url(): string {
    if (this.address === undefined) throw new Error('the service was not started');
    return this.address;
  }

  /** Everything that was logged since the last start. */
  output(): string {
    return this.hosted?.output() ?? this.process?.output() ?? '';
  }

  async untilReady(): Promise<void> {
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await delay(50)) {
      const response = await fetch(`${this.url}/readyz`);
      await response.arrayBuffer();
      if (response.ok) return;
    }
    throw new Error(`not ready:\n${this.output()}`);
  }

  fetch(path: string, options?: RequestInit): Promise<Response> {
    return fetch(this.url + path, options);
  }

  /** The JSON of a successful answer. */
  async json<T>(path: string, options?: RequestInit): Promise<T> {
    const response = await this.fetch(path, options);
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  postJson<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
    return this.json<T>(path, jsonRequest(body, headers));
  }

  /** The problem that a request is refused with, after checking that it is well-formed. */
  async problem(path: string, options?: RequestInit): Promise<ProblemBody> {
    const response = await this.fetch(path, options);
    const text = await response.text();
    expect(response.headers.get('content-type'), text).toMatch(/^application\/problem\+json/);
    const problem = JSON.parse(text) as ProblemBody;
    expect(problem.status).toBe(response.status);
    expect(problem.type).toBe(`/problems/${problem.code}`);
    expect(problem.detail).not.toMatch(/node_modules|at .*\.js:\d/);
    return problem;
  }

  /** Reads no more of what the service writes, as a program that ended would. */
  async closeOutput(): Promise<void> {
    const streams = [this.child.stdout, this.child.stderr].filter((stream) => stream !== null);
    await Promise.all(streams.map((stream) => once(stream.destroy(), 'close')));
  }

  /** Sends a signal that does not end the service. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the service with a signal and returns its exit code. One that failed by itself before fails the test, with its log. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.hosted !== undefined && signal === 'SIGTERM') {
      await this.hosted.close();
      return 0;
    }
    const child = this.process?.child;
    if (child?.exitCode) throw new Error(`the service ended with code ${child.exitCode}:\n${this.output()}`);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return child?.exitCode ?? null;
    }
    child.kill(signal);
    const [code] = (await once(child, 'close')) as [number | null];
    return code;
  }
}

export function jsonRequest(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  };
}

/** A request whose body is this text, whether or not it is JSON. */
export function jsonText(body: string): RequestInit {
  return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body };
}

/** A label in the answer of POST /classify. */
export interface ScoredLabel {
  label: string;
  score: number;
  similarity: number;
}

type FormValue = string | Uint8Array<ArrayBuffer>;
export type FormFields = Record<string, FormValue | FormValue[]>;

/** A form; a value that is bytes becomes a file, an array is sent as repeated fields. */
export function formRequest(fields: FormFields): RequestInit {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const [index, one] of (Array.isArray(value) ? value : [value]).entries()) {
      if (typeof one === 'string') body.append(name, one);
      else body.append(name, new Blob([one]), `file${index}.png`);
    }
  }
  return { method: 'POST', body };
}

function start(
  nodeOptions: readonly string[],
  env: Record<string, string>,
  args: string[],
  launcher: readonly string[] = [],
): { child: ChildProcess; output: () => string } {
  const { PATH = '', HOME = '' } = process.env;
  const [program, ...command] = [...launcher, process.execPath, ...nodeOptions, MAIN, ...args] as [string];
  const child = spawn(program, command, {
    env: { PATH, HOME, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  return { child, output: () => text };
}

async function untilListening(child: ChildProcess, output: () => string): Promise<string> {
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await delay(50)) {
    const url = /served at (http:\/\/\S+)/.exec(output())?.[1];
    if (url !== undefined) return url;
    if (child.exitCode !== null || child.signalCode !== null) break;
  }
  child.kill('SIGKILL');
  throw new Error(`the service did not start:\n${output()}`);
}
