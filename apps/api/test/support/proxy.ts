/** A reverse proxy that publishes a service below a path, as nginx and Traefik do. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Each request comes from another client. With `strips` the service sees paths without the prefix. */
export async function startProxy(
  service: string,
  prefix: string,
  { strips }: { strips: boolean },
): Promise<{ url: string; close: () => void }> {
  const { hostname, port } = new URL(service);
  let clients = 0;
  const proxy = createServer((incoming, answer) => {
    const { method, headers, url = '' } = incoming;
    if (!url.startsWith(`${prefix}/`)) {
      answer.writeHead(502).end('another service');
      return;
    }
    const client = `203.0.${strips ? 114 : 115}.${clients++}`;
    const outgoing = request({
      hostname,
      port,
      method,
      path: strips ? url.slice(prefix.length) : url,
      headers: { ...headers, 'x-forwarded-for': client },
    });
    outgoing.on('response', (response) => {
      answer.writeHead(response.statusCode!, response.headers);
      response.pipe(answer);
    });
    incoming.pipe(outgoing);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    close: () => {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}
