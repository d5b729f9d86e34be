/** What a snapshot of a shard says of itself. */

/** Changes with the meaning of what is stored. */
export const FORMAT = 2;

export interface ShardDescription {
  format: typeof FORMAT;
  /** Hash of the model that made the vectors. */
  model: string;
  embeddingSize: number;
  shard: number;
  shards: number;
  revision: number;
  /** Of the graph's bytes. */
  sha256: string;
  keys: number[];
}
