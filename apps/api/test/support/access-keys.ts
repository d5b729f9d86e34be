/** Named API keys of a running service, and requests that come through its proxy. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { linesOf } from './log-lines.js';
import type { TestServer } from './server.js';

const PROGRAM = fileURLToPath(new URL('../../dist/access/create-key.js', import.meta.url));

/** A key as its owner has it, and its entry in the key file. */
export interface AccessKey {
  key: string;
  entry: object;
}

/** Makes a key as the README says, with the program. */
export async function makeKey(name: string, scope: string): Promise<AccessKey> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [PROGRAM, '--name', name, '--scope', scope]);
  return {
    key: /clip_\S+/.exec(stdout)![0],
    entry: JSON.parse(stdout.slice(stdout.indexOf('{'), stdout.lastIndexOf('}') + 1)) as object,
  };
}

/** Changes the key file of a service and has it read again. Returns what the service says of that. */
export async function reloadKeys(server: TestServer, file: string, text: string): Promise<string> {
  const before = linesOf(server).length;
  await writeFile(file, text);
  server.signal('SIGHUP');
  return vi.waitFor(() => {
    const line = linesOf(server)
      .slice(before)
      .find(({ msg }) => msg.startsWith('SIGHUP'));
    if (line === undefined) throw new Error('the service said nothing of SIGHUP');
    return line.msg;
  }, 10_000);
}

let client = 0;
/** The header of a client whose address no request has had before, so that its limits are its own. */
export const fromNewAddress = () => ({ 'X-Forwarded-For': `203.0.113.${++client}` });
