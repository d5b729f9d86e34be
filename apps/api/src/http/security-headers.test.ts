import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { securityHeaders } from './security-headers.js';

/** What each page may connect to, by its path. */
async function connections(demoHub: boolean): Promise<Record<string, string | undefined>> {
  const app = express();
  app.use(securityHeaders({ DEMO_HUB: demoHub }));
  app.use((_request, response) => void response.end());
  const server = app.listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const answers = await Promise.all(
    ['/', '/docs', '/demo/', '/demo/demo.worker.js', '/demonstration'].map(async (path) => {
      const { headers } = await fetch(`http://127.0.0.1:${port}${path}`);
      return [path, /connect-src ([^;]*)/.exec(headers.get('content-security-policy') ?? '')?.[1]] as const;
    }),
  );
  server.close();
  return Object.fromEntries(answers);
}

describe('the content security policy', () => {
  it('lets no page connect to other hosts', async () => {
    expect(new Set(Object.values(await connections(false)))).toEqual(new Set(["'self'"]));
  });

  it('lets the demo, with its worker, connect to the hub when it is asked to, and no other page', async () => {
    const hub = "'self' https://huggingface.co https://*.huggingface.co https://*.hf.co";
    expect(await connections(true)).toEqual({
      '/': "'self'",
      '/docs': "'self'",
      '/demo/': hub,
      '/demo/demo.worker.js': hub,
      '/demonstration': "'self'",
    });
  });
});
