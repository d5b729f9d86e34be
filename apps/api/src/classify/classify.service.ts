/**
 * Zero-shot classification: the label whose text embedding is nearest to the image's
 * (Radford et al. 2021, arXiv:2103.00020, section 3.1).
 */
import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { REFERENCE_LABELS, ensembleEmbeds, labelPrompts, rankLabels, textCenter } from '@clip-ts/clip';
import type { RankedLabel } from '@clip-ts/clip';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ImageInput } from '../encoder/encoder.js';
import type { ModelEmbeddings } from '../encoder/model-embeddings.js';
import type { RequestScope } from '../encoder/scope.js';
import type { Config } from '../config/config.js';
import { LabelSetRepository } from '../label-sets/label-set.repository.js';
import { DEFAULT_TEMPLATE } from '../label-sets/prompts.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { labelProblem, promptsOf } from './classify.schema.js';
import type { ClassifyParameters, LabelsInTemplates } from './classify.schema.js';

/** Sets of templates whose background is remembered: clients use few, and each costs one run over the reference labels. */
const REMEMBERED_CENTERS = 32;
/** Limits of the cached embeddings of label sets: sets, and values in all, which are 64 MB. */
const REMEMBERED_SETS = 1000;
const REMEMBERED_VALUES = 16_000_000;

/** Parameters whose labels are known. */
interface LabelledParameters extends LabelsInTemplates {
  top_k?: number;
  threshold?: number;
  /** Names the saved set that the labels are of, and its state. */
  set?: string;
}

@Injectable()
export class ClassifyService {
  /** By model and templates. */
  private readonly centers = new Map<string, Float32Array>();

  /** Of saved label sets, by model, set and templates. */
  private readonly saved = new LRUCache<string, Float32Array[]>({
    max: REMEMBERED_SETS,
    maxSize: REMEMBERED_VALUES,
    sizeCalculation: (vectors) => vectors.length * vectors[0]!.length,
  });

  constructor(
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(LabelSetRepository) private readonly sets: LabelSetRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Labels by descending score, and the hash of the model. The same label given twice counts once. */
  async classify(
    image: ImageInput,
    parameters: ClassifyParameters,
    scope: RequestScope,
  ): Promise<{ model: string; labels: RankedLabel[] }> {
    const given = await this.withLabels(parameters);
    return this.embeddings.use(async (embeddings) => ({
      model: embeddings.model.hash,
      labels: await this.rank(embeddings, image, given, scope),
    }));
  }

  private async rank(
    embeddings: ModelEmbeddings,
    image: ImageInput,
    parameters: LabelledParameters,
    scope: RequestScope,
  ): Promise<RankedLabel[]> {
    const { multi_label, background, top_k, threshold, set } = parameters;
    const { templates } = promptsOf(parameters);
    const labels = [...new Set(parameters.labels)];
    const { logitScale, logitBias, labelCalibration } = embeddings.model;
    const overBackground = logitBias === undefined && (multi_label || background);
    const [imageEmbedding, labelEmbeddings, center] = await Promise.all([
      embeddings.image(image, scope),
      this.labelEmbeds(embeddings, labels, templates, scope, set),
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

  /** The parameters with the labels, and the templates, of the set that they name. */
  private async withLabels({ labels, label_set, ...rest }: ClassifyParameters): Promise<LabelledParameters> {
    if (label_set === undefined) return { ...rest, labels: labels! };
    const { id, revision, ...set } = await this.sets.named(label_set);
    const hasTemplates = rest.templates !== undefined || rest.hypothesis_template !== DEFAULT_TEMPLATE;
    const given = {
      ...rest,
      labels: set.labels,
      ...(!hasTemplates && { templates: set.templates }),
      set: `${id} ${revision}`,
    };
    const problem = labelProblem(given, this.config);
    if (problem !== undefined) {
      const detail = `with the set ${label_set}: ${problem.detail}`;
      throw new Problem('invalid_request', detail, { errors: [{ field: 'label_set', detail }] });
    }
    return given;
  }

  /** Embeddings of labels, the mean over the templates; those of a saved set are remembered for each model. */
  private async labelEmbeds(
    embeddings: ModelEmbeddings,
    labels: readonly string[],
    templates: readonly string[],
    scope: RequestScope,
    set: string | undefined,
  ): Promise<Float32Array[]> {
    const make = () => labelEmbeds(embeddings, labels, templates, scope);
    if (set === undefined) return make();
    // Templates may be long, and a client may send others each time.
    const texts = createHash('sha256').update(JSON.stringify(templates)).digest('base64');
    const key = `${embeddings.model.hash} ${set} ${texts}`;
    const known = this.saved.get(key);
    if (known !== undefined) return known;
    const vectors = await make();
    this.saved.set(key, vectors);
    return vectors;
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
