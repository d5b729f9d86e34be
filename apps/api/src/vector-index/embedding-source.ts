/** The port through which the index reads the collection: its revision, and what changed between two of them. */
import type { KeyedVector } from './vector-index.js';

export const EMBEDDING_SOURCE = Symbol('EmbeddingSource');

export interface EmbeddingSource {
  /** The number of changes made so far. */
  revision(): Promise<number>;
  /** The number of rows, those with an embedding by another model included. */
  count(): Promise<number>;
  /** Embeddings [E] that `model` made, written after revision `after` up to `until`, by key; `limit` rows after `afterKey`. */
  embeddings(query: {
    model: string;
    after: number;
    until: number;
    afterKey: number;
    limit: number;
  }): Promise<KeyedVector[]>;
  /** Keys that were removed after revision `after` up to `until`. */
  deletions(after: number, until: number): Promise<number[]>;
}
