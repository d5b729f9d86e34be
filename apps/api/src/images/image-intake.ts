/**
 * Takes images into the collection.
 * The order of writing: decode and embed, then the file, then the row, then the index. A process that dies
 * in between leaves at most a file without a row, which the next upload of the same bytes uses.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '../config/config.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { UploadedFile } from '../http/body/form-body.js';
import type { RequestScope } from '../encoder/scope.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { CollectionLock } from './collection-lock.js';
import { FileStore, imageId } from './file-store.js';
import { inspectImage } from '../image-file/image-format.js';
import { EmbeddingRepository } from './embedding.repository.js';
import { ImageRepository } from './image.repository.js';
import type { NewImage } from './image.repository.js';
import type { OnDuplicate, UploadFields, UploadedImage } from './image.schema.js';
import { toView } from './image.view.js';
import { SEARCH_INDEX } from './search-index.js';
import type { SearchIndex } from './search-index.js';

/** An image file with what is known of it. */
export interface IncomingImage extends UploadedFile {
  captions: string[];
  tags: string[];
}

/** The part of an import that images come with. */
interface ImportBatch {
  /** Names it, so that it is known which images it added. */
  batch: string;
  onDuplicate: OnDuplicate;
}

/** What a duplicate brought that the collection lacked; `file` when the stored file had been lost. */
type Merged = NonNullable<UploadedImage['merged']>;
/** What became of an incoming image. */
type Outcome =
  { id: string; status: 'created' } | { id: string; status: 'duplicate'; merged: Merged } | Problem;
/** `bytes` are those of an image to add, `again` is an image that is there already or comes twice. */
type Prepared =
  | { id: string; image: NewImage; bytes: Buffer; memory: number }
  | { id: string; again: IncomingImage }
  | Problem;

/** Captions, and tags, that an image may gather from its duplicates. */
const MAX_GATHERED = 100;

@Injectable()
export class ImageIntake {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(CollectionLock) private readonly lock: CollectionLock,
    @Inject(ImageRepository) private readonly images: ImageRepository,
    @Inject(EmbeddingRepository) private readonly vectors: EmbeddingRepository,
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(SEARCH_INDEX) private readonly index: SearchIndex,
  ) {}

  /** Adds all files or none: the first that is refused refuses the request, with every bad file listed. */
  async upload(
    files: readonly UploadedFile[],
    fields: UploadFields,
    scope: RequestScope,
  ): Promise<UploadedImage[]> {
    const { onDuplicate, ...texts } = fields;
    const prepared = await this.prepare(
      files.map((file) => ({ ...file, ...texts })),
      scope,
    );
    throwFirst(prepared, files);
    const outcomes = await this.commit(prepared, onDuplicate);
    const rows = new Map(
      (await this.images.findMany(outcomes.flatMap((outcome) => ('id' in outcome ? outcome.id : [])))).map(
        (row) => [row.id, row],
      ),
    );
    return outcomes.map((outcome) => {
      const row = 'id' in outcome ? rows.get(outcome.id) : undefined;
      if (outcome instanceof Problem || row === undefined) {
        throw new Problem(
          'conflict',
          'An image of this request was deleted at the same time. Send it again.',
        );
      }
      const { id: _id, ...result } = outcome;
      return { ...toView(row, this.config.BASE_PATH), ...result };
    });
  }

  /** Adds the files that can be added; the others' problems come back in their places. For imports. */
  async ingest(images: readonly IncomingImage[], { batch, onDuplicate }: ImportBatch): Promise<Outcome[]> {
    return this.commit(await this.prepare(images, undefined, batch), onDuplicate);
  }

  /** Those of the images that a batch of an import added. */
  addedBy(batch: string, ids: readonly string[]): Promise<Set<string>> {
    return this.images.addedBy(batch, ids);
  }

  /** Everything that can fail because of the file: format, limits, decoding, embedding. */
  private async prepare(
    incoming: readonly IncomingImage[],
    scope?: RequestScope,
    addedBy: string | null = null,
  ): Promise<Prepared[]> {
    const ids: string[] = [];
    for (const { bytes } of incoming) {
      ids.push(imageId(bytes));
      // Hashing many large files in one go would delay all other requests.
      await nextTurn();
    }
    const rows = await this.images.findMany(ids);
    // An image whose file was lost when the model changed still waits for its embedding.
    const encoded = await this.vectors.having(
      this.embeddings.model.hash,
      rows.map(({ key }) => key),
    );
    const known = new Set(rows.filter(({ key }) => encoded.has(key)).map(({ id }) => id));
    const prepared = await Promise.all(
      incoming.map(async (arrived, index): Promise<Prepared> => {
        const id = ids[index]!;
        if (known.has(id) || ids.indexOf(id) < index) return { id, again: arrived };
        const { bytes, fileName, captions, tags } = arrived;
        try {
          const { memory, taken, ...facts } = await inspectImage(bytes, this.config);
          const times = { takenAt: taken?.at ?? null, takenOffset: taken?.offset ?? null };
          const rest = { bytes: bytes.length, fileName, captions, tags, addedBy, ...times, embeddings: [] };
          return { id, image: { id, ...facts, ...rest }, bytes, memory };
        } catch (error) {
          if (error instanceof Problem) return error;
          throw error;
        }
      }),
    );
    return this.embed(prepared, scope);
  }

  /** Embeds new images by the model that answers, and by the one that is to take over. */
  private async embed(prepared: Prepared[], scope: RequestScope | undefined): Promise<Prepared[]> {
    const fresh = prepared.flatMap((entry) => ('bytes' in entry ? [entry] : []));
    const inputs = fresh.map(({ bytes, memory, image: { width, height } }) => ({
      bytes,
      pixels: width * height,
      memory,
    }));
    const byModel = await this.embeddings.useAll(async ([answering, ...others]) => {
      // First the one that may refuse, so that what it refuses costs the others nothing.
      const first = await answering.images(inputs, scope);
      const more = others.map(async (one) => ({
        model: one.model.hash,
        // What fails here the build does later.
        results: await one.images(inputs).catch(() => []),
      }));
      return [{ model: answering.model.hash, results: first }, ...(await Promise.all(more))] as const;
    });
    const places = new Map(fresh.map(({ id }, place) => [id, place]));
    return prepared.map((entry) => {
      if (!('bytes' in entry)) return entry;
      const place = places.get(entry.id)!;
      const first = byModel[0].results[place]!;
      if (first instanceof Problem) return first;
      const embeddings = byModel.flatMap(({ model, results }) => {
        const embedding = results[place];
        return embedding === undefined || embedding instanceof Problem ? [] : [{ model, embedding }];
      });
      return { ...entry, image: { ...entry.image, embeddings } };
    });
  }

  private async commit(prepared: readonly Prepared[], onDuplicate: OnDuplicate): Promise<Outcome[]> {
    const { added, merged } = await this.lock.run(async () => {
      const added = await this.addNew(prepared.flatMap((entry) => ('bytes' in entry ? [entry] : [])));
      const duplicates = prepared.flatMap((entry) => {
        if ('again' in entry) return [{ id: entry.id, ...entry.again }];
        return 'bytes' in entry && !added.has(entry.id) ? [{ ...entry.image, bytes: entry.bytes }] : [];
      });
      return { added, merged: await this.merge(duplicates, onDuplicate) };
    });
    const isNew = prepared.some((entry) => 'bytes' in entry);
    if (isNew || (merged.size > 0 && onDuplicate !== 'skip')) await this.index.catchUp();
    return prepared.map((entry): Outcome => {
      if (entry instanceof Problem) return entry;
      const { id } = entry;
      if ('bytes' in entry && added.has(id)) return { id, status: 'created' };
      return { id, status: 'duplicate', merged: merged.get(id) ?? { captions: [], tags: [], file: false } };
    });
  }

  /** Stores files, then rows; returns the ids of the rows that are new. What was written goes when that fails. */
  private async addNew(
    fresh: readonly { id: string; image: NewImage; bytes: Buffer }[],
  ): Promise<Set<string>> {
    if (fresh.length === 0) return new Set();
    const written: NewImage[] = [];
    try {
      for (const { id, image, bytes } of fresh) {
        if (await this.files.put(id, image.mediaType, bytes)) written.push(image);
      }
      const added = await this.images.add(fresh.map(({ image }) => image));
      await this.files.markUsed();
      return added;
    } catch (error) {
      await this.takeBack(written);
      throw error;
    }
  }

  /** Removes files whose rows could not be written; as far as that can be told, and later the sweep does it. */
  private async takeBack(images: readonly NewImage[]): Promise<void> {
    try {
      const existing = await this.images.existing(images.map(({ id }) => id));
      for (const { id, mediaType } of images) if (!existing.has(id)) await this.files.remove(id, mediaType);
    } catch {
      // The database does not answer: whether the rows are there is not known, so the files stay.
    }
  }

  /** Puts lost files back and does with captions and tags what was asked for. */
  private async merge(
    duplicates: readonly { id: string; bytes: Buffer; captions: string[]; tags: string[] }[],
    onDuplicate: OnDuplicate,
  ): Promise<Map<string, Merged>> {
    if (duplicates.length === 0) return new Map();
    const added = await this.annotate(duplicates, onDuplicate);
    const ids = duplicates.map(({ id }) => id);
    const rows = new Map((await this.images.findMany(ids)).map((row) => [row.id, row]));
    const merged = new Map<string, Merged>();
    for (const { id, bytes } of duplicates) {
      const row = rows.get(id);
      if (row === undefined || merged.has(id)) continue;
      const file = await this.files.put(id, row.mediaType, bytes);
      merged.set(id, { captions: [], tags: [], ...added.get(id), file });
    }
    return merged;
  }

  private async annotate(
    duplicates: Parameters<ImageRepository['annotate']>[0],
    onDuplicate: OnDuplicate,
  ): ReturnType<ImageRepository['annotate']> {
    if (onDuplicate === 'skip') return new Map();
    return onDuplicate === 'merge'
      ? this.images.annotate(duplicates, MAX_GATHERED)
      : this.images.replaceAnnotations(duplicates);
  }
}

function throwFirst(prepared: readonly Prepared[], files: readonly UploadedFile[]): void {
  const refused = prepared.flatMap((entry, index) =>
    entry instanceof Problem ? [{ problem: entry, field: files[index]?.fileName ?? `image ${index}` }] : [],
  );
  const [first] = refused;
  if (first === undefined) return;
  if (files.length === 1) throw first.problem;
  throw new Problem(first.problem.code, `${first.field}: ${first.problem.message} No image was stored.`, {
    errors: refused.map(({ problem, field }) => ({ field, detail: problem.message, code: problem.code })),
  });
}
