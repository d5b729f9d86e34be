/** The description of a snapshot as it is read from disk. */
import { z } from 'zod';
import { FORMAT, type ShardDescription } from './shard-description.js';

const schema = z.strictObject({
  format: z.literal(FORMAT),
  model: z.string(),
  embeddingSize: z.int(),
  shard: z.int(),
  shards: z.int(),
  revision: z.int(),
  sha256: z.string(),
  keys: z.array(z.int()),
});

/** Throws when the text is no such description. */
export function parseDescription(text: string): ShardDescription {
  return schema.parse(JSON.parse(text));
}
