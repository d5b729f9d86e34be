/** Finds the images nearest to a text, an image or a vector. */
import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '../config/config.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ImageInput } from '../encoder/encoder.js';
import type { RequestScope } from '../encoder/scope.js';
import { EmbeddingRepository } from '../images/embedding.repository.js';
import { isImageId } from '../images/file-store.js';
import { timesOf } from '../images/filter.schema.js';
import { ImageRepository } from '../images/image.repository.js';
import { notFound, toView } from '../images/image.view.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { cleanText } from '../text/clean-text.js';
import type { ImageFilter } from '../vector-index/filter/attribute-index.js';
import { IndexService } from '../vector-index/index.service.js';
import { combineVectors } from './combine-vectors.js';
import { cursorAfter, readCursor } from './search-cursor.js';
import type { PageQuery, SearchResult, TextQuery } from './search.schema.js';

@Injectable()
export class SearchService {
  constructor(
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(IndexService) private readonly index: IndexService,
    @Inject(ImageRepository) private readonly images: ImageRepository,
    @Inject(EmbeddingRepository) private readonly vectors: EmbeddingRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  byTexts({ q, weight, not = [] }: TextQuery, page: PageQuery, scope: RequestScope): Promise<SearchResult> {
    return this.embeddings.use(async (embeddings) => {
      const vectors = await embeddings.texts([...q, ...not], scope);
      const wanted = q.map((_, n) => ({ vector: vectors[n]!, weight: weight?.[n] ?? 1 }));
      const vector = combineVectors(wanted, vectors.slice(q.length));
      if (vector === undefined) {
        throw new Problem(
          'invalid_request',
          'The texts of q and not cancel each other. Search for something else than what to leave out.',
          { errors: [{ field: 'not', detail: 'it leaves nothing of q' }] },
        );
      }
      return this.byUnitVector(embeddings.model.hash, vector, page);
    });
  }

  /** The images nearest to one of the collection, without itself. */
  similar(id: string, page: PageQuery): Promise<SearchResult> {
    return this.embeddings.use(async ({ model: { hash } }) => {
      const row = isImageId(id) ? await this.images.find(id) : null;
      if (row === null) throw notFound(id);
      const vector = await this.vectors.find(hash, row.key);
      if (vector === undefined) {
        throw new Problem('not_ready', 'The model that answers has not encoded this image yet.', {
          retryAfter: 10,
        });
      }
      return this.byUnitVector(hash, vector, page, row.key);
    });
  }

  byImage(image: ImageInput, page: PageQuery, scope: RequestScope): Promise<SearchResult> {
    return this.embeddings.use(async (embeddings) =>
      this.byUnitVector(embeddings.model.hash, await embeddings.image(image, scope), page),
    );
  }

  /** The vector need not have length 1, but must have a direction. `model` says which model made it, if that is known. */
  byVector(values: readonly number[], page: PageQuery, model?: string): Promise<SearchResult> {
    return this.embeddings.use(async ({ model: { hash, embeddingSize } }) => {
      if (model !== undefined && model !== hash) {
        throw new Problem(
          'invalid_vector',
          `The vector is of the model ${model}, and search answers with ${hash}. Embed again, and send that vector.`,
        );
      }
      if (values.length !== embeddingSize) {
        throw new Problem(
          'invalid_vector',
          `Expected ${embeddingSize} values, the embedding size of the model, found ${values.length}.`,
        );
      }
      const norm = Math.hypot(...values);
      if (norm === 0 || !Number.isFinite(norm)) {
        throw new Problem('invalid_vector', 'The vector has no direction: its length is 0 or not finite.');
      }
      return this.byUnitVector(
        hash,
        Float32Array.from(values, (value) => value / norm),
        page,
      );
    });
  }

  private async byUnitVector(
    model: string,
    vector: Float32Array,
    page: PageQuery,
    except?: number,
  ): Promise<SearchResult> {
    const { limit, offset, minScore } = page;
    const cursor = page.cursor === undefined ? undefined : readCursor(page.cursor, model);
    const filter = {
      ...toFilter(page),
      except: [...(except === undefined ? [] : [except]), ...(cursor?.shown ?? [])],
      upTo: cursor?.largestKey,
    };
    const query = { model, vector, limit, offset, minScore, filter };
    const found = await this.index.search(
      cursor === undefined ? query : { ...query, exact: true, after: cursor.after },
    );
    const { matches, total } = found;
    const rows = await this.images.findByKeys(matches.map(({ key }) => key));
    const byKey = new Map(rows.map((row) => [row.key, row]));
    const items = matches.flatMap(({ key, score }) => {
      const row = byKey.get(key);
      return row === undefined ? [] : [{ ...toView(row, this.config.BASE_PATH), score: clampCosine(score) }];
    });
    return {
      items,
      ...(total !== undefined && cursor === undefined && { total }),
      limit,
      offset,
      ...(offset === 0 && { nextCursor: cursorAfter(found, limit, model, cursor) }),
      model,
    };
  }
}

const toFilter = ({ tag, notTag, collection, ...times }: PageQuery): ImageFilter => ({
  tags: tag?.map(cleanText),
  withoutTags: notTag?.map(cleanText),
  collections: collection,
  ...timesOf(times),
});

/** Rounding can carry the product of two unit vectors a little past 1. */
function clampCosine(score: number): number {
  return Math.max(-1, Math.min(1, score));
}
