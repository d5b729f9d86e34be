/**
 * Embeddings for the rest of the service: batched over requests, texts cached by (model, text).
 * Repeated labels and queries cost one run of the model, also when they come at the same moment.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { CONFIG, ENCODER, METRICS } from '../providers.js';
import type { Config } from '../config/config.js';
import { gauge } from '../metrics/metrics.js';
import type { ProblemCode } from '../problems/catalogue.js';
import { Problem } from '../problems/problem.js';
import type { EncodeOutcome, Encoder, ModelInfo } from './encoder.js';
import { LruCache } from './lru-cache.js';
import { MicroBatcher } from './micro-batcher.js';

@Injectable()
export class EmbeddingService {
  readonly model: ModelInfo;
  private readonly batcher: MicroBatcher;
  private readonly cache: LruCache<Promise<Float32Array>>;
  private readonly lookups: Counter<'result'>;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(ENCODER) encoder: Encoder,
    @Inject(METRICS) metrics: Registry,
  ) {
    this.model = encoder.model;
    this.cache = new LruCache(config.EMBEDDING_CACHE);
    const sizes = new Histogram({
      name: 'encoder_batch_size',
      help: 'Items in one run of the model.',
      labelNames: ['kind'],
      buckets: [1, 2, 4, 8, 16, 32, 64],
      registers: [metrics],
    });
    const seconds = new Histogram({
      name: 'encoder_run_seconds',
      help: 'Time of one run of the model.',
      labelNames: ['kind'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers: [metrics],
    });
    this.batcher = new MicroBatcher({
      run: async (task) => {
        const start = performance.now();
        sizes.observe({ kind: task.kind }, task.items.length);
        try {
          return await encoder.encode(task);
        } finally {
          seconds.observe({ kind: task.kind }, (performance.now() - start) / 1000);
        }
      },
      concurrency: encoder.concurrency,
      maxBatch: config.ENCODER_BATCH,
      maxQueue: config.ENCODER_QUEUE,
    });
    this.lookups = new Counter({
      name: 'text_cache_lookups_total',
      help: 'Texts looked up in the embedding cache, by result.',
      labelNames: ['result'],
      registers: [metrics],
    });
    gauge(metrics, 'text_cache_entries', 'Texts in the embedding cache.', () => this.cache.size);
    gauge(metrics, 'encoder_queued', 'Items that wait for the model.', () => this.batcher.queued);
  }

  /** Embeddings [E] of N texts, in their order. */
  async texts(texts: readonly string[]): Promise<Float32Array[]> {
    const missing = [...new Set(texts)].filter((text) => this.cache.get(this.cacheKey(text)) === undefined);
    this.lookups.inc({ result: 'hit' }, texts.length - missing.length);
    this.lookups.inc({ result: 'miss' }, missing.length);
    const computed = new Map<string, Promise<Float32Array>>();
    if (missing.length > 0) {
      const batch = this.batcher.texts(missing);
      for (const [index, text] of missing.entries()) {
        const embedding = batch.then((outcomes) => embeddingOf(outcomes[index]!));
        const key = this.cacheKey(text);
        embedding.catch(() => {
          this.cache.delete(key);
        });
        this.cache.set(key, embedding);
        computed.set(text, embedding);
      }
    }
    return Promise.all(texts.map((text) => computed.get(text) ?? this.cache.get(this.cacheKey(text))!));
  }

  /** Embedding [E] of one image file. Throws a Problem when it cannot be decoded. */
  async image(image: Uint8Array): Promise<Float32Array> {
    const [outcome] = await this.batcher.images([image]);
    return embeddingOf(outcome!);
  }

  /** Outcomes for N image files: an image that cannot be decoded does not fail the others. */
  async images(
    images: readonly Uint8Array[],
    options: { background?: boolean } = {},
  ): Promise<(Float32Array | Problem)[]> {
    const outcomes = await this.batcher.images(images, options);
    return outcomes.map((outcome) => ('embedding' in outcome ? outcome.embedding : problemOf(outcome.error)));
  }

  private cacheKey(text: string): string {
    return `${this.model.hash}\n${text}`;
  }
}

const CODES: Partial<Record<string, ProblemCode>> = {
  IMAGE_TOO_LARGE: 'too_many_pixels',
  IMAGE_FORMAT_UNSUPPORTED: 'unsupported_image_format',
  IMAGE_UNREADABLE: 'undecodable_image',
  TEXT_INVALID: 'invalid_request',
};

function problemOf(error: { code: string; message: string }): Problem {
  const code = CODES[error.code];
  if (code !== undefined) return new Problem(code, error.message);
  return new Problem('internal_error', 'The model failed on this input. The log of the server says why.', {
    cause: new Error(`${error.code}: ${error.message}`),
  });
}

function embeddingOf(outcome: EncodeOutcome): Float32Array {
  if ('embedding' in outcome) return outcome.embedding;
  throw problemOf(outcome.error);
}
