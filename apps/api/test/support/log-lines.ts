/** The lines of a service's log. */
import type { TestServer } from './server.js';

interface Line {
  context?: string;
  msg: string;
  requestId?: string;
  path?: string;
  status?: number;
  client?: string;
  audit?: {
    action: string;
    keyName: string | null;
    address: string;
    outcome: string;
    status: number;
    code?: string;
    ids: string[];
  };
}

/** The lines of the log that are JSON. */
export const linesOf = (server: TestServer): Line[] =>
  server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

export const auditOf = (server: TestServer) =>
  linesOf(server).flatMap(({ audit }) => (audit === undefined ? [] : [audit]));
