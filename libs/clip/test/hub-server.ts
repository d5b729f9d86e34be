/** A server with the endpoints of the Hugging Face hub that a download needs, over files in memory. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = 'c'.repeat(40);

export interface HubServer {
  endpoint: string;
  /** `METHOD URL [RANGE]` of each request. */
  requests: string[];
  /** Authorization header of each request. */
  tokens: (string | undefined)[];
  files: Record<string, Buffer>;
  /** Cut the connection after so many bytes of a file, once for each number. */
  cuts: number[];
  /** Answer everything with this status. */
  status?: number;
  /** Send files from another origin, as the hub does with large ones. */
  redirectTo?: string;
  /** Serve other bytes than the listing states. */
  corrupt?: boolean;
  close(): Promise<void>;
}

/** Starts a hub on 127.0.0.1 that has one model, `owner/name`, with `files`; those of 64 bytes or more are LFS files. */
export async function startHubServer(files: Record<string, Buffer>): Promise<HubServer> {
  const server = createServer((request, response) => {
    const range = request.headers.range;
    hub.requests.push(`${request.method} ${request.url}${range === undefined ? '' : ` ${range}`}`);
    hub.tokens.push(request.headers.authorization);
    respond(hub, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hub: HubServer = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    tokens: [],
    files,
    cuts: [],
    close: () => close(server),
  };
  return hub;
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

function respond(hub: HubServer, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url!, hub.endpoint);
  const json = (status: number, body: unknown) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  };
  if (hub.status !== undefined) return json(hub.status, { error: 'no' });
  if (/^\/api\/models\/owner\/name\/revision\/(main|v1|c{40})$/.test(pathname)) {
    return json(200, { _id: '1', id: 'owner/name', sha: COMMIT, lastModified: '2026-01-01T00:00:00.000Z' });
  }
  if (pathname === `/api/models/owner/name/tree/${COMMIT}`)
    return json(200, Object.entries(hub.files).map(listing));
  const [, name] = new RegExp(`^/owner/name/resolve/${COMMIT}/(.+)$`).exec(pathname) ?? [];
  const content = name === undefined ? undefined : hub.files[decodeURIComponent(name)];
  if (content === undefined) return json(404, { error: 'Repository not found' });
  if (hub.redirectTo !== undefined) {
    response.writeHead(302, { Location: `${hub.redirectTo}${pathname}` }).end();
    return;
  }
  sendFile(hub, request, response, hub.corrupt ? Buffer.alloc(content.length, 1) : content);
}

function sendFile(hub: HubServer, request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const part = content.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    'Content-Length': part.length,
    ...(start > 0 ? { 'Content-Range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
  });
  const cut = content.length >= 64 ? hub.cuts.shift() : undefined;
  if (cut === undefined) response.end(part);
  else response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 50));
}

function listing([path, content]: [string, Buffer]) {
  const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const lfs = {
    oid: createHash('sha256').update(content).digest('hex'),
    size: content.length,
    pointerSize: 130,
  };
  return { type: 'file', path, size: content.length, oid, ...(content.length >= 64 ? { lfs } : {}) };
}
