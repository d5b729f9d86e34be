/**
 * The models that are loaded: the one that answers, and while another generation is being built, the one that builds
 * it. A caller that needs several embeddings of one model takes them from one model inside of {@link
 * EmbeddingService.use}.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { CONFIG, ENCODER, METRICS } from '../providers.js';
import type { Config } from '../config/config.js';
import { gauge } from '../metrics/metrics.js';
import { ComputeMeter } from './compute.js';
import { EncoderMetrics } from './encoder-metrics.js';
import type { Encoder, ModelInfo } from './encoder.js';
import { ModelEmbeddings } from './model-embeddings.js';
import { DecodeBudget } from './decode-budget.js';

@Injectable()
export class EmbeddingService implements OnApplicationShutdown {
  private readonly loaded = new Map<string, ModelEmbeddings>();
  private answering: ModelEmbeddings;
  private readonly meter: ComputeMeter;
  private readonly encoderMetrics: EncoderMetrics;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ENCODER) encoder: Encoder,
    @Inject(METRICS) metrics: Registry,
    @Inject(DecodeBudget) private readonly decodeBudget: DecodeBudget,
  ) {
    this.meter = new ComputeMeter({ perRequest: config.MAX_COMPUTE, perMinute: config.COMPUTE_LIMIT });
    this.encoderMetrics = new EncoderMetrics(metrics);
    this.answering = this.add(encoder);
    const sum = (value: (model: ModelEmbeddings) => number) =>
      [...this.loaded.values()].reduce((total, model) => total + value(model), 0);
    gauge(metrics, 'models_loaded', 'Models in memory.', () => this.loaded.size);
    gauge(metrics, 'text_cache_entries', 'Texts in the embedding cache.', () => sum(({ cached }) => cached));
    gauge(metrics, 'encoder_queued', 'Items that wait for the model.', () => sum(({ queued }) => queued));
  }

  /** The model that answers. */
  get model(): ModelInfo {
    return this.answering.model;
  }

  /** Hashes of the models that are loaded. */
  get models(): string[] {
    return [...this.loaded.keys()];
  }

  /** A model that is loaded. */
  get(hash: string): ModelEmbeddings | undefined {
    return this.loaded.get(hash);
  }

  /** Runs `run` with the model that answers, which stays open until it is done, whatever answers by then. */
  use<T>(run: (embeddings: ModelEmbeddings) => Promise<T>): Promise<T> {
    return this.answering.use(run);
  }

  /** The same for every model that is loaded, the one that answers first. */
  useAll<T>(run: (embeddings: readonly [ModelEmbeddings, ...ModelEmbeddings[]]) => Promise<T>): Promise<T> {
    const others = [...this.loaded.values()].filter((model) => model !== this.answering);
    const all = [this.answering, ...others] as const;
    return all.reduceRight<() => Promise<T>>(
      (inner, model) => () => model.use(inner),
      () => run(all),
    )();
  }

  /** Takes a model in. */
  add(encoder: Encoder): ModelEmbeddings {
    const embeddings = new ModelEmbeddings(encoder, {
      batchSize: this.config.ENCODER_BATCH,
      maxQueue: this.config.ENCODER_QUEUE,
      cacheSize: this.config.EMBEDDING_CACHE,
      meter: this.meter,
      metrics: this.encoderMetrics,
      decodeBudget: this.decodeBudget,
    });
    this.loaded.set(encoder.model.hash, embeddings);
    return embeddings;
  }

  /** From now on a model that is loaded answers. */
  answerWith(hash: string): void {
    const embeddings = this.loaded.get(hash);
    if (embeddings === undefined) throw new Error(`the model ${hash} is not loaded`);
    this.answering = embeddings;
  }

  /** Closes a model that is not the active one, once it is no longer in use. */
  async remove(hash: string): Promise<void> {
    const embeddings = this.loaded.get(hash);
    if (embeddings === undefined || embeddings === this.answering) return;
    this.loaded.delete(hash);
    await embeddings.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.loaded.values()].map((embeddings) => embeddings.close()));
  }
}
