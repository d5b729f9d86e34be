/**
 * The HNSW graph on disk: a file with the graph and a file that says what it holds. It saves the time of
 * building the graph at the start and nothing else: absent, damaged, of another model, of a revision that
 * the database has never had, or mostly deleted vectors — then it is not used and the graph is built anew.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { writeFileAtomic } from '@clip-ts/clip';
import { z } from 'zod';
import { HnswIndex } from './hnsw-index.js';
import type { Snapshot } from './vector-index.js';

const FORMAT = 1;
/** Above this share of deleted vectors a graph is built anew. */
const MAX_WASTE = 0.25;

const descriptionSchema = z.strictObject({
  format: z.literal(FORMAT),
  model: z.string(),
  embeddingSize: z.int(),
  revision: z.int(),
  sha256: z.string(),
  keys: z.array(z.int()),
});

interface SnapshotOf {
  model: string;
  embeddingSize: number;
}

export class SnapshotStore {
  private readonly graphPath: string;
  private readonly descriptionPath: string;

  constructor(folder: string) {
    this.graphPath = join(folder, 'hnsw.bin');
    this.descriptionPath = join(folder, 'hnsw.json');
  }

  /** Writes an index as it is at `revision`. It must not change until this is done. */
  async save({ keys, write }: Snapshot, of: SnapshotOf & { revision: number }): Promise<void> {
    await writeFileAtomic(this.graphPath, write);
    const description: z.infer<typeof descriptionSchema> = {
      format: FORMAT,
      model: of.model,
      embeddingSize: of.embeddingSize,
      revision: of.revision,
      sha256: await sha256(this.graphPath),
      keys,
    };
    await writeFileAtomic(this.descriptionPath, JSON.stringify(description));
  }

  /** The stored graph and its revision, or why it cannot be used. */
  async load(
    of: SnapshotOf & { depth: number; latestRevision: number },
  ): Promise<{ index: HnswIndex; revision: number } | { unusable: string }> {
    try {
      const text = await readFile(this.descriptionPath, 'utf8');
      const description = descriptionSchema.parse(JSON.parse(text));
      if (description.model !== of.model || description.embeddingSize !== of.embeddingSize) {
        return { unusable: 'another model made it' };
      }
      if (description.revision > of.latestRevision) return { unusable: 'it is of another database' };
      if ((await sha256(this.graphPath)) !== description.sha256) return { unusable: 'its bytes are damaged' };
      const index = await HnswIndex.read(this.graphPath, {
        embeddingSize: of.embeddingSize,
        depth: of.depth,
        live: description.keys,
      });
      if (index.waste > MAX_WASTE) return { unusable: 'most of it are deleted images' };
      return { index, revision: description.revision };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
        return { unusable: 'there is none' };
      }
      return { unusable: 'it cannot be read' };
    }
  }

  /** Removes the files. */
  async remove(): Promise<void> {
    await rm(this.descriptionPath, { force: true });
    await rm(this.graphPath, { force: true });
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
