/**
 * Approximate search in a hierarchical navigable small world graph (Malkov and Yashunin, arXiv:1603.09320)
 * through hnswlib. Every query asks the graph for the same number of neighbours, `depth`, whatever page the
 * client reads: a longer search could rank differently, and page 2 must continue page 1.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import hnswlib from 'hnswlib-node';
import type { HierarchicalNSW } from 'hnswlib-node';
import { compareMatches } from './vector-index.js';
import type { KeyedVector, Match, Snapshot, VectorIndex, VectorQuery, VectorResult } from './vector-index.js';

/** Edges of a node, and candidates looked at when one is added (M and efConstruction of the paper). */
const EDGES = 16;
const CANDIDATES = 200;
/** Insertions between two turns of the event loop: each takes a fraction of a millisecond. */
const ADDS_PER_TURN = 16;
/** A filtered query that allows at most this many keys compares each of them. */
const EXACT_AMONG = 5000;

export class HnswIndex implements VectorIndex {
  readonly kind = 'hnsw';
  private readonly live: Set<number>;
  private capacity: number;

  private constructor(
    private readonly graph: HierarchicalNSW,
    readonly depth: number,
    live: Iterable<number>,
  ) {
    this.live = new Set(live);
    this.capacity = graph.getMaxElements();
  }

  /** An empty index for vectors of length E. */
  static empty(embeddingSize: number, depth: number): HnswIndex {
    const graph = new hnswlib.HierarchicalNSW('ip', embeddingSize);
    graph.initIndex({ maxElements: 1024, m: EDGES, efConstruction: CANDIDATES, randomSeed: 100 });
    return new HnswIndex(graph, depth, []);
  }

  /** Reads a file that a {@link snapshot} wrote; `live` are its keys that are not deleted. The caller has checked its bytes. */
  static async read(
    path: string,
    settings: { embeddingSize: number; depth: number; live: readonly number[] },
  ): Promise<HnswIndex> {
    const graph = new hnswlib.HierarchicalNSW('ip', settings.embeddingSize);
    await graph.readIndex(path);
    return new HnswIndex(graph, settings.depth, settings.live);
  }

  get size(): number {
    return this.live.size;
  }

  /** Share of the graph's nodes that are deleted vectors, 0 to 1. */
  get waste(): number {
    const nodes = this.graph.getCurrentCount();
    return nodes === 0 ? 0 : 1 - this.live.size / nodes;
  }

  outgrown(): boolean {
    return false;
  }

  entries(): KeyedVector[] {
    return [...this.live].map((key) => ({ key, embedding: Float32Array.from(this.graph.getPoint(key)) }));
  }

  snapshot(): Snapshot {
    return {
      keys: [...this.live],
      write: async (path) => {
        await this.graph.writeIndex(path);
      },
    };
  }

  async set(entries: readonly KeyedVector[]): Promise<void> {
    for (const [index, { key, embedding }] of entries.entries()) {
      if (index % ADDS_PER_TURN === ADDS_PER_TURN - 1) await nextTurn();
      this.reserve();
      this.graph.addPoint(Array.from(embedding), key);
      this.live.add(key);
    }
  }

  delete(keys: readonly number[]): void {
    for (const key of keys) if (this.live.delete(key)) this.graph.markDelete(key);
  }

  search({ vector, limit, minScore = -Infinity, among }: VectorQuery): VectorResult {
    const matches = this.candidates(Array.from(vector), among)
      .filter(({ score }) => score >= minScore)
      .sort(compareMatches)
      .slice(0, limit);
    return { matches };
  }

  private candidates(vector: number[], among: ReadonlySet<number> | undefined): Match[] {
    if (this.live.size === 0) return [];
    if (among !== undefined && among.size <= EXACT_AMONG) return this.compareWithEach(vector, among);
    const wanted = Math.min(this.depth, this.live.size);
    this.graph.setEf(Math.max(wanted, CANDIDATES));
    const filter = among === undefined ? undefined : (key: number) => among.has(key);
    const { neighbors, distances } = this.graph.searchKnn(vector, wanted, filter);
    return neighbors.map((key, index) => ({ key, score: 1 - distances[index]! }));
  }

  private compareWithEach(vector: readonly number[], among: ReadonlySet<number>): Match[] {
    const matches: Match[] = [];
    for (const key of among) {
      if (!this.live.has(key)) continue;
      const point = this.graph.getPoint(key);
      let score = 0;
      for (let e = 0; e < vector.length; e++) score += point[e]! * vector[e]!;
      matches.push({ key, score });
    }
    return matches;
  }

  private reserve(): void {
    if (this.graph.getCurrentCount() < this.capacity) return;
    this.capacity *= 2;
    this.graph.resizeIndex(this.capacity);
  }
}
