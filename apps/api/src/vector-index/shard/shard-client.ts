/** The main thread's end of a shard's thread. */
import { Worker } from 'node:worker_threads';
import type { ShardAnswers, ShardReply, ShardRequest } from './shard-protocol.js';
import type { ShardWorkerData } from './shard.worker.js';

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

export class ShardClient {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 0;
  private failure: Error | undefined;
  /** Whether the thread has loaded its modules. */
  private hasAnswered = false;

  /** @param onFailure called once when the thread ends unasked */
  constructor(data: ShardWorkerData, onFailure: (error: Error) => void) {
    this.worker = new Worker(new URL('./shard.worker.js', import.meta.url), { workerData: data });
    // The server's connections keep the process alive, not its index.
    this.worker.unref();
    this.worker.on('message', (reply: ShardReply) => this.settle(reply));
    const fail = (error: Error) => {
      if (this.failure !== undefined) return;
      this.failure = error;
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
      onFailure(error);
    };
    this.worker.on('error', fail);
    this.worker.on('exit', (code) => fail(new Error(`the thread of the search index ended with ${code}`)));
  }

  request<R extends ShardRequest>(request: R): Promise<ShardAnswers[R['kind']]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, request });
    });
  }

  async close(): Promise<void> {
    // A thread that is ended while it loads its native addon aborts the process.
    if (!this.hasAnswered) {
      this.worker.ref();
      await this.request({ kind: 'state' }).catch(() => undefined);
    }
    this.failure ??= new Error('the search index is closed');
    await this.worker.terminate();
  }

  private settle(reply: ShardReply): void {
    this.hasAnswered = true;
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(new Error(reply.error));
    else waiting?.resolve(reply.value as never);
  }
}
