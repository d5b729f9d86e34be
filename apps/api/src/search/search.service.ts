/** Finds the images nearest to a text, an image or a vector. */
import { Inject, Injectable } from '@nestjs/common';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ImageInput } from '../encoder/encoder.js';
import type { RequestScope } from '../encoder/scope.js';
import { ImageRepository } from '../images/image.repository.js';
import { toView } from '../images/image.view.js';
import { Problem } from '../problems/problem.js';
import { cleanText } from '../text/clean-text.js';
import { IndexService } from '../vector-index/index.service.js';
import type { PageQuery, SearchResult } from './search.schema.js';

@Injectable()
export class SearchService {
  constructor(
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(IndexService) private readonly index: IndexService,
    @Inject(ImageRepository) private readonly images: ImageRepository,
  ) {}

  byText(text: string, page: PageQuery, scope: RequestScope): Promise<SearchResult> {
    return this.embeddings.use(async (embeddings) => {
      const [vector] = await embeddings.texts([text], scope);
      return this.byUnitVector(embeddings.model.hash, vector!, page);
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

  private async byUnitVector(model: string, vector: Float32Array, page: PageQuery): Promise<SearchResult> {
    const { limit, offset, minScore, tag } = page;
    const tags = tag?.map(cleanText);
    const { matches, total } = await this.index.search({ model, vector, limit, offset, minScore, tags });
    const rows = await this.images.findByKeys(matches.map(({ key }) => key));
    const byKey = new Map(rows.map((row) => [row.key, row]));
    const items = matches.flatMap(({ key, score }) => {
      const row = byKey.get(key);
      return row === undefined ? [] : [{ ...toView(row), score: clampCosine(score) }];
    });
    return {
      items,
      ...(total !== undefined && { total }),
      limit,
      offset,
      model,
    };
  }
}

/** Rounding can carry the product of two unit vectors a little past 1. */
function clampCosine(score: number): number {
  return Math.max(-1, Math.min(1, score));
}
