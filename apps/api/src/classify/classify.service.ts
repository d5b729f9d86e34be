/**
 * Zero-shot classification: the label whose text embedding is nearest to the image's
 * (Radford et al. 2021, arXiv:2103.00020, section 3.1).
 */
import { Inject, Injectable } from '@nestjs/common';
import { REFERENCE_LABELS, ensembleEmbeds, labelPrompts, rankLabels, textCenter } from '@clip-ts/clip';
import type { RankedLabel } from '@clip-ts/clip';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ImageInput } from '../encoder/encoder.js';
import type { ModelEmbeddings } from '../encoder/model-embeddings.js';
import type { RequestScope } from '../encoder/scope.js';
import { templatesOf } from './classify.schema.js';
import type { ClassifyParameters } from './classify.schema.js';

/** Sets of templates whose background is remembered: clients use few, and each costs one run over the reference labels. */
const REMEMBERED_CENTERS = 32;

@Injectable()
export class ClassifyService {
  /** By model and templates. */
  private readonly centers = new Map<string, Float32Array>();

  constructor(@Inject(EmbeddingService) private readonly embeddings: EmbeddingService) {}

  /** Labels by descending score, and the hash of the model. The same label given twice counts once. */
  classify(
    image: ImageInput,
    parameters: ClassifyParameters,
    scope: RequestScope,
  ): Promise<{ model: string; labels: RankedLabel[] }> {
    return this.embeddings.use(async (embeddings) => ({
      model: embeddings.model.hash,
      labels: await this.rank(embeddings, image, parameters, scope),
    }));
  }

  private async rank(
    embeddings: ModelEmbeddings,
    image: ImageInput,
    parameters: ClassifyParameters,
    scope: RequestScope,
  ): Promise<RankedLabel[]> {
    const { multi_label, background, top_k, threshold } = parameters;
    const templates = templatesOf(parameters);
    const labels = [...new Set(parameters.labels)];
    const { logitScale, logitBias, labelCalibration } = embeddings.model;
    const overBackground = logitBias === undefined && (multi_label || background);
    const [imageEmbedding, labelEmbeddings, center] = await Promise.all([
      embeddings.image(image, scope),
      labelEmbeds(embeddings, labels, templates, scope),
      overBackground ? this.center(embeddings, templates, scope) : undefined,
    ]);
    return rankLabels(imageEmbedding, labelEmbeddings, labels, {
      logitScale,
      logitBias,
      multiLabel: multi_label,
      rest: background,
      center,
      calibration: labelCalibration,
      topK: top_k,
      threshold,
    });
  }

  /** Center of the reference labels in the templates. */
  private async center(
    embeddings: ModelEmbeddings,
    templates: readonly string[],
    scope: RequestScope,
  ): Promise<Float32Array> {
    const key = JSON.stringify([embeddings.model.hash, ...templates]);
    const known = this.centers.get(key);
    if (known !== undefined) return known;
    const center = textCenter(await labelEmbeds(embeddings, REFERENCE_LABELS, templates, scope));
    this.centers.set(key, center);
    if (this.centers.size > REMEMBERED_CENTERS) {
      const oldest = this.centers.keys().next();
      if (!oldest.done) this.centers.delete(oldest.value);
    }
    return center;
  }
}

/** Embeddings of labels, the mean over the templates. One template after the other: the queue has room for each. */
async function labelEmbeds(
  embeddings: ModelEmbeddings,
  labels: readonly string[],
  templates: readonly string[],
  scope: RequestScope,
): Promise<Float32Array[]> {
  const embeds: Float32Array[][] = [];
  for (const template of templates) {
    embeds.push(await embeddings.texts(labelPrompts(labels, template), scope));
  }
  return ensembleEmbeds(embeds);
}
