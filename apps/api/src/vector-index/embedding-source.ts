/** The port through which the index reads the collection: its revision, and what changed between two of them. */
import type { ImageAttributes } from './filter/attribute-index.js';
import type { KeyedVector } from './vector-index.js';

export const EMBEDDING_SOURCE = Symbol('EmbeddingSource');

/** Rows written after revision `after` up to `until`, by key; `limit` rows after `afterKey`. */
interface ChangeQuery {
  after: number;
  until: number;
  afterKey: number;
  limit: number;
}

export interface EmbeddingSource {
  /** The number of changes made so far. */
  revision(): Promise<number>;
  /** How many embeddings `model` made. */
  count(model: string): Promise<number>;
  /** Embeddings [E] that `model` made, of the rows that changed. */
  embeddings(query: ChangeQuery & { model: string }): Promise<KeyedVector[]>;
  /** What search can be narrowed by, of the rows that changed. */
  attributes(query: ChangeQuery): Promise<ImageAttributes[]>;
  /** Keys that were removed after revision `after` up to `until`. */
  deletions(after: number, until: number): Promise<number[]>;
}
