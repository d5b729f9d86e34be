/**
 * Zero-shot classification: the label whose text embedding is nearest to the image's
 * (Radford et al. 2021, arXiv:2103.00020, section 3.1).
 */
import { Inject, Injectable } from '@nestjs/common';
import { labelPrompts, rankLabels } from '@clip-ts/clip';
import type { RankedLabel } from '@clip-ts/clip';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ClassifyParameters } from './classify.schema.js';

@Injectable()
export class ClassifyService {
  constructor(@Inject(EmbeddingService) private readonly embeddings: EmbeddingService) {}

  /** Labels by falling score. The same label given twice counts once. */
  async classify(image: Uint8Array, parameters: ClassifyParameters): Promise<RankedLabel[]> {
    const { hypothesis_template: template, multi_label, top_k, threshold } = parameters;
    const labels = [...new Set(parameters.labels)];
    const texts = labelPrompts(labels, template);
    const [imageEmbedding, labelEmbeddings] = await Promise.all([
      this.embeddings.image(image),
      this.embeddings.texts(texts),
    ]);
    const { logitScale, logitBias } = this.embeddings.model;
    return rankLabels(imageEmbedding, labelEmbeddings, labels, {
      logitScale,
      logitBias,
      multiLabel: multi_label,
      topK: top_k,
      threshold,
    });
  }
}
