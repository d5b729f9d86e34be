/**
 * Nearest-neighbour search off the event loop. N vectors of length E, L2-normalised; the score is their cosine. The
 * vectors are spread over shards by their keys, each in a thread of its own.
 *
 * The order of a result: what the graphs find when they are asked for the nearest few, after it what they add when
 * asked for more, after it all others, compared one by one. Without graphs it is the exact order. So the beginning of a
 * result is the same however much of it is read, it never ends before everything has been read, and only who reads far
 * pays for it.
 */
import type { KeySet } from './filter/key-set.js';
import { atLeast, EMPTY, followedBy, merge, slice, type Place, type Ranking } from './shard/ranking.js';
import { ShardClient } from './shard/shard-client.js';
import type { ShardState } from './shard/shard-protocol.js';

/** Matches that graphs are asked for, one after the other: a usual page, the longest page. */
const ASKED_FOR = [32, 100];

/** A vector of the index and its score against the query. */
interface Match {
  key: number;
  /** Cosine, −1 to 1. */
  score: number;
}

/** A vector [E], L2-normalised, and its key. */
export interface KeyedVector {
  key: number;
  embedding: Float32Array;
}

export interface VectorQuery {
  /** Query vector [E], L2-normalised. */
  vector: Float32Array;
  limit: number;
  offset: number;
  /** Matches with a lower cosine are left out. */
  minScore?: number;
  /** Only these keys may match. */
  among?: KeySet;
  /** No graph decides what matches. */
  exact?: boolean;
  /** Only what comes after this place of the exact order. */
  after?: Place;
}

export interface VectorResult {
  /** In the order that is described above. */
  matches: Match[];
  /** How many match in all; not known with `minScore` where a graph answers. */
  total?: number;
  /** No graph decided what matches: the order is that of the scores. */
  exact: boolean;
}

export interface VectorIndexSettings {
  /** Hash of the model that made the vectors. */
  model: string;
  /** E */
  embeddingSize: number;
  /** Folder of the snapshots. */
  folder: string;
  /** Threads. */
  shards: number;
  /** Up to this many vectors a query is compared with each; above it there are graphs. */
  exactLimit: number;
  /** Called when a thread has ended unasked: the index cannot be used any more. */
  onFailure: (error: Error) => void;
}

export class VectorIndex {
  private readonly shards: ShardClient[];
  private readonly states: ShardState[];

  constructor(private readonly settings: VectorIndexSettings) {
    const { model, embeddingSize, folder, shards, exactLimit, onFailure } = settings;
    this.states = Array.from({ length: shards }, () => ({ size: 0, hasGraph: false, pending: 0 }));
    this.shards = this.states.map((_, shard) => {
      const identity = { model, embeddingSize, shard, shards };
      return new ShardClient({ identity, folder, exactLimit: exactLimit / shards }, onFailure);
    });
  }

  /** N, as of the last change. */
  get size(): number {
    return this.states.reduce((sum, { size }) => sum + size, 0);
  }

  get kind(): 'exact' | 'hnsw' {
    return this.states.some(({ hasGraph }) => hasGraph) ? 'hnsw' : 'exact';
  }

  /** Asks the threads how far their graphs are. Returns the number of vectors that are not in them yet. */
  async pending(): Promise<number> {
    await this.updateStates(this.shards.map((shard) => shard.request({ kind: 'state' })));
    return this.states.reduce((sum, { pending }) => sum + pending, 0);
  }

  /**
   * Reads the saved graphs that can be used.
   * @returns the revision from which on changes must be applied, and why graphs cannot be used
   */
  async load(latestRevision: number): Promise<{ revision: number; unusable: string[] }> {
    const loaded = await Promise.all(
      this.shards.map((shard) => shard.request({ kind: 'load', latestRevision })),
    );
    await this.pending();
    return {
      revision: Math.min(...loaded.map((one) => ('revision' in one ? one.revision : 0))),
      unusable: loaded.flatMap((one) => ('unusable' in one ? [one.unusable] : [])),
    };
  }

  /** Adds vectors, or replaces those of known keys. They are found from now on. */
  async set(entries: readonly KeyedVector[]): Promise<void> {
    const { embeddingSize: E } = this.settings;
    const wrong = entries.find(({ embedding }) => embedding.length !== E);
    if (wrong !== undefined)
      throw new Error(`a vector of ${wrong.embedding.length} values cannot be in an index of ${E}`);
    await this.updateStates(
      this.shards.map((shard, s) => {
        const own = entries.filter(({ key }) => this.shardOf(key) === s);
        if (own.length === 0) return undefined;
        const vectors = new Float32Array(own.length * E);
        own.forEach(({ embedding }, n) => vectors.set(embedding, n * E));
        return shard.request({ kind: 'set', keys: Int32Array.from(own, ({ key }) => key), vectors });
      }),
    );
  }

  /** Removes keys; unknown ones are no error. */
  async delete(keys: readonly number[]): Promise<void> {
    await this.updateStates(
      this.shards.map((shard, s) => {
        const own = Int32Array.from(keys.filter((key) => this.shardOf(key) === s));
        return own.length === 0 ? undefined : shard.request({ kind: 'delete', keys: own });
      }),
    );
  }

  async search({ vector, limit, offset, minScore, among, after, exact }: VectorQuery): Promise<VectorResult> {
    const end = offset + limit;
    // A message would carry the whole buffer of a vector that is a part of one.
    const own = vector.slice();
    const { ranking, isExact, total } = await this.ranked(own, end, { among, after, exact });
    if (minScore === undefined)
      return { matches: toMatches(slice(ranking, offset, end)), total, exact: isExact };
    const high = atLeast(ranking, minScore);
    const isComplete = isExact && (ranking.keys.length === total || high.keys.length < ranking.keys.length);
    return {
      matches: toMatches(slice(high, offset, end)),
      exact: isExact,
      ...(isComplete && { total: high.keys.length }),
    };
  }

  /**
   * Saves the graphs as they are at `revision`; nothing may be set or deleted until this is done.
   * @returns false when not all of them hold everything yet, or there are none
   */
  async save(revision: number): Promise<boolean> {
    const saved = await Promise.all(this.shards.map((shard) => shard.request({ kind: 'save', revision })));
    return saved.every(Boolean);
  }

  async close(): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard.close()));
  }

  /** At least the first `end` matches, or all when there are fewer; `isExact` when no graph had a part in it. */
  private async ranked(
    vector: Float32Array,
    end: number,
    { among, after, exact = after !== undefined }: Pick<VectorQuery, 'among' | 'after' | 'exact'>,
  ): Promise<{ ranking: Ranking; isExact: boolean; total: number }> {
    let ranking = EMPTY;
    for (const nearest of exact || this.kind === 'exact' ? [undefined] : [...ASKED_FOR, undefined]) {
      // A shard whose graph cannot answer compares with all vectors, once for everything that is wanted.
      const limit = Math.max(end, nearest ?? 0);
      const results = await Promise.all(
        this.shards.map((shard) => shard.request({ kind: 'search', vector, limit, among, after, nearest })),
      );
      const total = results.reduce((sum, one) => sum + one.total, 0);
      const isExact = results.every((one) => one.exact);
      const isFirst = ranking === EMPTY;
      const found = merge(results, isExact ? limit : nearest!);
      ranking = isFirst ? found : followedBy(ranking, found);
      if (isExact || ranking.keys.length >= Math.min(end, total)) {
        return { ranking, isExact: isExact && isFirst, total };
      }
    }
    throw new Error('a comparison with all vectors was not exact');
  }

  private shardOf(key: number): number {
    return key % this.shards.length;
  }

  private async updateStates(requests: (Promise<ShardState> | undefined)[]): Promise<void> {
    await Promise.all(
      requests.map(async (request, s) => {
        if (request !== undefined) this.states[s] = await request;
      }),
    );
  }
}

const toMatches = ({ keys, scores }: Ranking): Match[] =>
  Array.from(keys, (key, rank) => ({ key, score: scores[rank]! }));
