import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startInTurns, STARTS_A_TURN } from './turns.js';

const PATHS = Array.from({ length: 3 * STARTS_A_TURN }, (_, n) => `/${n}`);

let server: Server;
let answers: Promise<(string | Error)[]>;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Requests that have all arrived, and wait to be begun. */
async function arrived(paths: readonly string[]): Promise<[IncomingMessage, ServerResponse][]> {
  const requests: [IncomingMessage, ServerResponse][] = [];
  await new Promise<void>((resolve) => {
    server = createServer((...request) => {
      requests.push(request);
      if (requests.length === paths.length) resolve();
    }).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      const fetched = paths.map((path) => fetch(`http://127.0.0.1:${port}${path}`).then((r) => r.text()));
      answers = Promise.all(fetched.map((answer) => answer.catch((error: Error) => error)));
    });
  });
  return requests;
}

/** Answers with the path, and notes what begins in which turn of the event loop. */
function notingTurns() {
  const turns: string[][] = [[]];
  const listener = startInTurns((request, response) => {
    const turn = turns.at(-1)!;
    if (turn.length === 0) setImmediate(() => turns.push([]));
    turn.push(request.url!);
    response.end(request.url);
  });
  return { turns, listener };
}

describe('requests that come all at once', () => {
  it('begin some in each turn of the event loop, and all are answered', async () => {
    const { turns, listener } = notingTurns();
    for (const request of await arrived(PATHS)) listener(...request);
    expect(await answers).toEqual(PATHS);
    expect(turns.map(({ length }) => length).filter((length) => length > 0)).toEqual(
      Array.from({ length: 3 }, () => STARTS_A_TURN),
    );
  });

  it('do not keep a health check waiting', async () => {
    const { turns, listener } = notingTurns();
    const requests = await arrived([...PATHS, '/healthz?why']);
    requests.sort(([a], [b]) => Number(a.url === '/healthz?why') - Number(b.url === '/healthz?why'));
    for (const request of requests) listener(...request);
    await answers;
    expect(turns[0]).toContain('/healthz?why');
  });

  it('do not begin when the client has left meanwhile', async () => {
    const { turns, listener } = notingTurns();
    const requests = await arrived(PATHS);
    for (const request of requests) listener(...request);
    requests.at(-1)![0].socket.destroy();
    expect((await answers).filter((answer) => typeof answer !== 'string')).toHaveLength(1);
    expect(turns.flat()).toHaveLength(PATHS.length - 1);
  });
});
