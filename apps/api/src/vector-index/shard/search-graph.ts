/**
 * A hierarchical navigable small world graph (Malkov and Yashunin, arXiv:1603.09320) through hnswlib: the keys that are
 * probably nearest to a query.
 */
import hnswlib from 'hnswlib-node';
import type { HierarchicalNSW } from 'hnswlib-node';

/** Edges of a node, and candidates that are looked at when one is added (M and efConstruction of the paper). */
const EDGES = 16;
const CANDIDATES = 100;
/** Candidates of a search in one shard (ef of the paper), at least; more are looked at where more are asked for. */
const BREADTH = 48;
const FIRST_CAPACITY = 1024;

export class SearchGraph {
  private readonly values: number[] = [];

  private constructor(
    private readonly graph: HierarchicalNSW,
    /** Keys of all nodes. */
    private readonly known: Set<number>,
    private readonly deleted: Set<number>,
  ) {}

  /** For vectors of length E. */
  static empty(E: number): SearchGraph {
    const graph = new hnswlib.HierarchicalNSW('ip', E);
    graph.initIndex({ maxElements: FIRST_CAPACITY, m: EDGES, efConstruction: CANDIDATES, randomSeed: 100 });
    return new SearchGraph(graph, new Set(), new Set());
  }

  /** Reads a file that `write` wrote, of which `live` are not deleted. The caller has checked its bytes. */
  static async read(path: string, E: number, live: readonly number[]): Promise<SearchGraph> {
    const graph = new hnswlib.HierarchicalNSW('ip', E);
    await graph.readIndex(path);
    const known = new Set(graph.getIdsList());
    const deleted = new Set(known);
    for (const key of live) deleted.delete(key);
    return new SearchGraph(graph, known, deleted);
  }

  /** Fraction of the nodes that are deleted vectors. */
  get waste(): number {
    return this.nodes === 0 ? 0 : this.deleted.size / this.nodes;
  }

  /** Nodes, those of deleted vectors included. */
  private get nodes(): number {
    return this.graph.getCurrentCount();
  }

  set(key: number, vector: Float32Array): void {
    if (this.deleted.delete(key)) this.graph.unmarkDelete(key);
    if (this.nodes >= this.graph.getMaxElements()) this.graph.resizeIndex(this.nodes * 2);
    this.graph.addPoint(this.asArray(vector), key);
    this.known.add(key);
  }

  /** Never found again. A key that was never set is no error. */
  delete(key: number): void {
    if (!this.known.has(key) || this.deleted.has(key)) return;
    this.graph.markDelete(key);
    this.deleted.add(key);
  }

  /** Up to `count` keys, in no order. */
  nearest(vector: Float32Array, count: number): number[] {
    const live = this.nodes - this.deleted.size;
    if (live <= 0) return [];
    this.graph.setEf(Math.max(count, BREADTH));
    return this.graph.searchKnn(this.asArray(vector), Math.min(count, live)).neighbors;
  }

  vector(key: number): Float32Array {
    return Float32Array.from(this.graph.getPoint(key));
  }

  /** hnswlib-node takes plain arrays only. The same one each time: making one takes longer than filling it. */
  private asArray(vector: Float32Array): number[] {
    for (let e = 0; e < vector.length; e++) this.values[e] = vector[e]!;
    return this.values;
  }

  /** Nothing may be set or deleted until this is done. */
  async write(path: string): Promise<void> {
    await this.graph.writeIndex(path);
  }
}
