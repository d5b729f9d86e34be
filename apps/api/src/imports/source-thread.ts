/** Reads the source of an import in a thread that ends with it. */
import { Worker } from 'node:worker_threads';
import { Problem } from '../problems/problem.js';
import type { SourceItem, SourceOptions } from './import-source.js';
import type { SourceReply, SourceRequest } from './import-source.worker.js';

/**
 * As {@link readSource}, whose thread is ended when `signal` is.
 * @throws Problem `import_unreadable`; whatever else ended the thread
 */
export async function readSourceInThread(
  path: string,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<SourceItem[]> {
  const workerData: SourceRequest = { path, options };
  const worker = new Worker(new URL('./import-source.worker.js', import.meta.url), { workerData });
  const items: SourceItem[] = [];
  const end = () => void worker.terminate();
  signal.addEventListener('abort', end);
  try {
    return await new Promise<SourceItem[]>((resolve, reject) => {
      worker.on('message', (reply: SourceReply) => {
        if (reply === 'end') resolve(items);
        else if ('problem' in reply) reject(new Problem('import_unreadable', reply.problem));
        else for (const item of reply) items.push(item);
      });
      worker.on('error', reject);
      worker.on('exit', (code) => {
        reject(new Error(`the thread that reads an import ended (exit code ${code})`));
      });
    });
  } finally {
    signal.removeEventListener('abort', end);
    await worker.terminate();
  }
}
