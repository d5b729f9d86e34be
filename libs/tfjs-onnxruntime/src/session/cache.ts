/** A bounded map from graph structure to compiled session: the least recently used one is released first. */
import { createHash } from 'node:crypto';
import type { ElementType } from '../graph/value.js';
import type { OrtSession } from './ort.js';

export interface CompiledGraph {
  session: OrtSession;
  /** Names of the inputs, in the order of the graph's leaves (inline constants left out). */
  inputs: string[];
  /** Element types and shapes of the inputs. */
  signatures: { type: ElementType; shape: readonly number[] }[];
  outputs: string[];
  /** The model's bytes, for `dumpGraph` and `profile`; eager graphs carry no weights. */
  model: Uint8Array;
}

export class SessionCache {
  readonly #entries = new Map<string, CompiledGraph>();
  hits = 0;
  misses = 0;
  evictions = 0;

  /** @param capacity sessions kept */
  constructor(readonly capacity: number) {}

  get size(): number {
    return this.#entries.size;
  }

  getOrCreate(structure: string, create: () => CompiledGraph): CompiledGraph {
    const key = createHash('sha256').update(structure).digest('base64');
    const found = this.#entries.get(key);
    if (found !== undefined) {
      this.hits++;
      this.#entries.delete(key);
      this.#entries.set(key, found);
      return found;
    }
    this.misses++;
    const created = create();
    this.#entries.set(key, created);
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.capacity) break;
      entry.session.dispose();
      this.#entries.delete(oldest);
      this.evictions++;
    }
    return created;
  }

  clear(): void {
    for (const entry of this.#entries.values()) entry.session.dispose();
    this.#entries.clear();
  }
}
