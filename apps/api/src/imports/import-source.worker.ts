/** Reads what an import is to bring in, in a thread: an annotation file may have hundreds of megabytes. */
import { parentPort, workerData } from 'node:worker_threads';
import { Problem } from '../problems/problem.js';
import { readSource, type SourceItem, type SourceOptions } from './import-source.js';

export interface SourceRequest {
  path: string;
  options: SourceOptions;
}
/** Some items; the end of them; or why there are none. */
export type SourceReply = SourceItem[] | 'end' | { problem: string };

/** Items of a message: taking one must not keep the service from its requests. */
const CHUNK = 2000;

const { path, options } = workerData as SourceRequest;
const send = (reply: SourceReply) => parentPort!.postMessage(reply);
try {
  const items = await readSource(path, options);
  for (let from = 0; from < items.length; from += CHUNK) send(items.slice(from, from + CHUNK));
  send('end');
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  send({ problem: error.message });
}
