/** Import jobs in tests. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ImportView } from '../../src/imports/import.schema.js';
import type { TestServer } from './server.js';

/** How long a job may take, in milliseconds. */
const PATIENCE = 120_000;

/** Asks for an import. */
export const startImport = (
  server: TestServer,
  request: { path: string } & Partial<Record<string, unknown>>,
) => server.postJson<ImportView>('/imports', request);

/** The job once it is done or has failed. */
export async function endOfImport(server: TestServer, id: string): Promise<ImportView> {
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await delay(50)) {
    const job = await server.json<ImportView>(`/imports/${id}`);
    if (job.status === 'done' || job.status === 'failed') return job;
  }
  throw new Error(`the import did not end:\n${server.output()}`);
}

/** Asks for an import and waits for its end. */
export async function runImport(
  server: TestServer,
  request: Parameters<typeof startImport>[1],
): Promise<ImportView> {
  return endOfImport(server, (await startImport(server, request)).id);
}
