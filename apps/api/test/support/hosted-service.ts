/** Services in one process beside the tests, which the test files of a worker share: one is started at a time in a moment. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { QUICK_START } from './quick-start.js';

const HOST = fileURLToPath(new URL('./service-host.mjs', import.meta.url));

/** Starts a service with these settings, or closes it where there are none. */
export interface HostRequest {
  service: number;
  settings?: Record<string, string>;
}

/** A line of a service's log, or the answer to a request: the address of a service that was started, or what failed. */
export interface HostReply {
  service: number;
  line?: string;
  url?: string;
  failure?: string;
}

interface Hosted {
  output: string;
  settle: (reply: HostReply) => void;
}

/** What a service leaves in its process, such as the database's WebAssembly, adds up: after so many another one hosts. */
const SERVICES_IN_A_HOST = 8;

let host: ChildProcess | undefined;
let startedInHost = 0;
let running = 0;
let count = 0;
const hosted = new Map<number, Hosted>();

/** A service that was started. */
export interface HostedService {
  url: string;
  /** Everything that it has logged. */
  output(): string;
  /** Finishes running requests and ends it. */
  close(): Promise<void>;
}

/** @throws Error with what the service logged, when it cannot start */
export async function startHosted(settings: Record<string, string>): Promise<HostedService> {
  const service = count++;
  if (running === 0 && startedInHost >= SERVICES_IN_A_HOST) endHost();
  startedInHost++;
  running++;
  hosted.set(service, { output: '', settle: () => undefined });
  const output = () => hosted.get(service)!.output;
  const url = await ask({ service, settings });
  return {
    url,
    output,
    close: async () => {
      await ask({ service });
      running--;
    },
  };
}

async function ask(request: HostRequest): Promise<string> {
  const one = hosted.get(request.service)!;
  const { url, failure } = await new Promise<HostReply>((resolve) => {
    one.settle = resolve;
    currentHost().send(request);
  });
  if (failure !== undefined) throw new Error(`${failure}\n${one.output}`);
  return url!;
}

function endHost(): void {
  host?.disconnect();
  host = undefined;
  startedInHost = 0;
}

/** The host, started when it is first needed. It ends with this process. */
function currentHost(): ChildProcess {
  if (host !== undefined) return host;
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  const child = fork(HOST, {
    env: { PATH, HOME, TMPDIR, NO_COLOR: '1' },
    execArgv: [...QUICK_START],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.on('message', (reply: HostReply) => {
    const one = hosted.get(reply.service)!;
    if (reply.line === undefined) one.settle(reply);
    else one.output += reply.line;
  });
  child.on('exit', (code, signal) => {
    if (host !== child) return;
    host = undefined;
    const failure = `the process of the services ended: ${signal ?? `exit code ${code}`}`;
    for (const [service, { settle }] of hosted) settle({ service, failure });
  });
  // Neither keeps the tests' process alive.
  child.unref();
  child.channel?.unref();
  host = child;
  return child;
}
