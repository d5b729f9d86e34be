/**
 * The graph of a shard on disk: a file with the graph and a file that says what it holds. It saves the time of building
 * the graph at the start and nothing else: absent, damaged, of another model or another number of shards, of a revision
 * that the database has never had, or mostly deleted vectors — then it is not used and the graph is rebuilt.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { writeFileAtomic } from '@clip-ts/clip/files';
import { SearchGraph } from './search-graph.js';
import { FORMAT, type ShardDescription } from './shard-description.js';

/** Above this fraction of deleted vectors a graph is rebuilt. */
const MAX_WASTE = 0.25;

/** What a snapshot is of. */
export interface ShardIdentity {
  /** Hash of the model that made the vectors. */
  model: string;
  embeddingSize: number;
  shard: number;
  shards: number;
}

const paths = (folder: string, { shard }: ShardIdentity) => ({
  graph: join(folder, `hnsw-${shard}.bin`),
  description: join(folder, `hnsw-${shard}.json`),
});

/** Writes a graph as it is at `revision`. It must not change until this is done. */
export async function saveShard(
  folder: string,
  { graph, keys }: { graph: SearchGraph; keys: number[] },
  identity: ShardIdentity,
  revision: number,
): Promise<void> {
  const files = paths(folder, identity);
  await writeFileAtomic(files.graph, (path) => graph.write(path));
  const sha256 = await hashOf(files.graph);
  const description: ShardDescription = {
    format: FORMAT,
    ...identity,
    revision,
    sha256,
    keys,
  };
  await writeFileAtomic(files.description, JSON.stringify(description));
}

/** The stored graph, its live keys and its revision, or why it cannot be used. */
export async function loadShard(
  folder: string,
  identity: ShardIdentity,
  latestRevision: number,
): Promise<{ graph: SearchGraph; keys: number[]; revision: number } | { unusable: string }> {
  const files = paths(folder, identity);
  try {
    const text = await readFile(files.description, 'utf8');
    // Loaded only now: most collections are searched exactly, without a graph, and their threads need no schema.
    const { parseDescription } = await import('./shard-schema.js');
    const stored = parseDescription(text);
    const { model, embeddingSize, shard, shards, revision, sha256, keys } = stored;
    if (model !== identity.model || embeddingSize !== identity.embeddingSize)
      return { unusable: 'another model made it' };
    if (shard !== identity.shard || shards !== identity.shards)
      return { unusable: `it is one of ${shards} parts, not of ${identity.shards}` };
    if (revision > latestRevision) return { unusable: 'it is of another database' };
    if ((await hashOf(files.graph)) !== sha256) return { unusable: 'its bytes are damaged' };
    const graph = await SearchGraph.read(files.graph, embeddingSize, keys);
    if (graph.waste > MAX_WASTE) return { unusable: 'much of it are deleted images' };
    return { graph, keys, revision };
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { unusable: isAbsent ? 'there is none' : 'it cannot be read' };
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
