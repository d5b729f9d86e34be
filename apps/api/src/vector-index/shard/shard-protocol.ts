/** What the index asks the thread of a shard, and what it gets. Requests are answered in their order, but for saving. */
import type { KeyedVectors, ShardQuery, ShardResult } from './shard.js';

export interface ShardState {
  size: number;
  hasGraph: boolean;
  /** Vectors that the graph does not hold yet. */
  pending: number;
}

export type ShardRequest =
  | { kind: 'load'; latestRevision: number }
  | ({ kind: 'set' } & KeyedVectors)
  | { kind: 'delete'; keys: Int32Array }
  | ({ kind: 'search' } & ShardQuery)
  | { kind: 'save'; revision: number }
  | { kind: 'state' };

export interface ShardAnswers {
  load: { revision: number } | { unusable: string };
  set: ShardState;
  delete: ShardState;
  search: ShardResult;
  /** Whether it was saved: not without a graph that holds everything. */
  save: boolean;
  state: ShardState;
}

export type ShardReply = { id: number; value: unknown } | { id: number; error: string };
