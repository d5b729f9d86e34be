/** A thread with one shard of the search index. It answers one request after the other, and fills the graph between them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Shard } from './shard.js';
import { loadShard, saveShard, type ShardIdentity } from './shard-snapshot.js';
import type { ShardReply, ShardRequest, ShardState } from './shard-protocol.js';

export interface ShardWorkerData {
  identity: ShardIdentity;
  /** Folder of the snapshots. */
  folder: string;
  exactLimit: number;
}

/** Vectors that go into the graph between two looks for requests; each takes a fraction of a millisecond. */
const ADDS_PER_TURN = 4;

const { identity, folder, exactLimit } = workerData as ShardWorkerData;
const port = parentPort!;
const shard = new Shard(identity.embeddingSize, exactLimit);
let filling = false;
/** While the graph is written to disk it must not change. */
let saving: Promise<unknown> = Promise.resolve();

const state = (): ShardState => ({
  size: shard.size,
  hasGraph: shard.hasGraph,
  pending: shard.pendingCount,
});

async function answer(request: ShardRequest): Promise<unknown> {
  switch (request.kind) {
    case 'load': {
      const stored = await loadShard(folder, identity, request.latestRevision);
      if ('unusable' in stored) return { unusable: stored.unusable };
      shard.adopt(stored.graph, stored.keys);
      return { revision: stored.revision };
    }
    case 'set':
      await saving;
      shard.set(request);
      void fill();
      return state();
    case 'delete':
      await saving;
      shard.delete(request.keys);
      return state();
    case 'search':
      return shard.search(request);
    case 'save': {
      const saved = shard.saved();
      if (saved === undefined) return false;
      const written = saveShard(folder, saved, identity, request.revision);
      saving = written.catch(() => undefined);
      await written;
      return true;
    }
    case 'state':
      return state();
  }
}

/** Fills the graph as long as something is pending, giving way to requests. */
async function fill(): Promise<void> {
  if (filling || !shard.hasGraph) return;
  filling = true;
  for (;;) {
    await saving;
    if (!shard.fillGraph(ADDS_PER_TURN)) break;
    await nextTurn();
  }
  filling = false;
}

port.on('message', ({ id, request }: { id: number; request: ShardRequest }) => {
  answer(request).then(
    (value) => post({ id, value }),
    (error: unknown) => post({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});

function post(reply: ShardReply): void {
  const { value } = reply as {
    value?: { keys?: Int32Array<ArrayBuffer>; scores?: Float32Array<ArrayBuffer> };
  };
  const transfer = [value?.keys?.buffer, value?.scores?.buffer].filter((buffer) => buffer !== undefined);
  port.postMessage(reply, transfer);
}
