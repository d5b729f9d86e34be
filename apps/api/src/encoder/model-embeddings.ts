/**
 * Embeddings by one model: batched over requests, texts cached. Repeated labels and queries cost one run of the model,
 * also when they come at the same moment.
 */
import { LRUCache } from 'lru-cache';
import type { ProblemCode } from '../problems/catalogue.js';
import { Problem } from '../problems/problem.js';
import { cleanText } from '../text/clean-text.js';
import { imageCost, textCost } from './compute.js';
import type { ComputeMeter } from './compute.js';
import type { EncoderMetrics } from './encoder-metrics.js';
import type { EncodeOutcome, Encoder, ImageInput, ModelInfo } from './encoder.js';
import { Cancelled, MicroBatcher } from './micro-batcher.js';
import type { DecodeBudget } from './decode-budget.js';
import type { RequestScope } from './scope.js';

interface ModelEmbeddingsSettings {
  /** Maximum number of items in one batch. */
  batchSize: number;
  /** Maximum number of items of requests that may wait. */
  maxQueue: number;
  /** Text embeddings that are kept; 0: none. */
  cacheSize: number;
  /** What computing may cost, over all models. */
  meter: ComputeMeter;
  metrics: EncoderMetrics;
  decodeBudget: DecodeBudget;
}

export class ModelEmbeddings {
  readonly model: ModelInfo;
  private readonly batcher: MicroBatcher;
  private readonly cache: LRUCache<string, Float32Array> | undefined;
  /** Texts that are being encoded, so that others who ask for them meanwhile share the result. */
  private readonly pending = new Map<string, { embedding: Promise<Float32Array>; jobSize: number }>();
  private readonly meter: ComputeMeter;
  private users = 0;
  private onIdle: (() => void) | undefined;

  constructor(
    private readonly encoder: Encoder,
    private readonly settings: ModelEmbeddingsSettings,
  ) {
    const { batchSize: maxBatch, maxQueue, cacheSize, meter, metrics, decodeBudget } = settings;
    this.model = encoder.model;
    this.meter = meter;
    this.cache = cacheSize === 0 ? undefined : new LRUCache({ max: cacheSize });
    this.batcher = new MicroBatcher({
      run: (task) => metrics.measure(task, () => encoder.encode(task)),
      concurrency: encoder.concurrency,
      maxBatch,
      maxQueue,
      decodeBudget,
    });
  }

  /** Items of requests that wait for the model. */
  get queued(): number {
    return this.batcher.queued;
  }

  /** Texts in the cache. */
  get cached(): number {
    return this.cache?.size ?? 0;
  }

  /** Keeps the model open until `run` is done. */
  async use<T>(run: (embeddings: ModelEmbeddings) => Promise<T>): Promise<T> {
    this.users++;
    try {
      return await run(this);
    } finally {
      this.users--;
      if (this.users === 0) this.onIdle?.();
    }
  }

  /** Closes the model once it is no longer in use. */
  async close(): Promise<void> {
    if (this.users > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
    await this.encoder.close();
  }

  /** Embeddings [E] of N texts, in their order. Throws overloaded, rate_limited, request_too_costly. */
  async texts(given: readonly string[], scope: RequestScope): Promise<Float32Array[]> {
    const texts = given.map(cleanText);
    const unique = [...new Set(texts)];
    this.meter.ask(scope, sum(unique.map((text) => textCost(text.length))));
    const found = new Map<string, Float32Array>();
    for (const text of unique) {
      const embedding = this.cache?.get(text);
      if (embedding !== undefined) found.set(text, embedding);
    }
    const missing = unique.filter((text) => !found.has(text));
    this.settings.metrics.countLookups(unique.length - missing.length, missing.length);
    await this.encode(missing, found, scope);
    return texts.map((text) => found.get(text)!);
  }

  /** Embedding [E] of one image file. Throws a Problem when it cannot be decoded. */
  async image(image: ImageInput, scope: RequestScope): Promise<Float32Array> {
    const [outcome] = await this.images([image], scope);
    if (outcome instanceof Problem) throw outcome;
    return outcome!;
  }

  /**
   * Outcomes for N image files: an image that cannot be decoded does not fail the others.
   * Without a scope it is background work.
   */
  async images(images: readonly ImageInput[], scope?: RequestScope): Promise<(Float32Array | Problem)[]> {
    if (scope !== undefined) {
      const units = sum(images.map(({ pixels }) => imageCost(pixels)));
      this.meter.ask(scope, units);
      this.meter.spend(scope, units);
    }
    const outcomes = await this.batcher.images(images, scope);
    return outcomes.map((outcome) => ('embedding' in outcome ? outcome.embedding : problemOf(outcome.error)));
  }

  /** Puts the embeddings of `missing` into `found`: encodes those that are not being encoded already. */
  private async encode(
    missing: readonly string[],
    found: Map<string, Float32Array>,
    scope: RequestScope,
  ): Promise<void> {
    if (missing.length === 0) return;
    // A small request does not wait for a text that a huge one has somewhere in its queue.
    const largestShared = Math.max(this.settings.batchSize, 2 * missing.length);
    const shared: { text: string; embedding: Promise<Float32Array> }[] = [];
    const own: string[] = [];
    for (const text of missing) {
      const pending = this.pending.get(text);
      if (pending === undefined || pending.jobSize > largestShared) own.push(text);
      else shared.push({ text, embedding: pending.embedding });
    }
    this.meter.spend(scope, sum(own.map((text) => textCost(text.length))));
    const encoded = this.submit(own, scope);
    encoded.catch(() => undefined);
    const given = await Promise.allSettled(shared.map(({ embedding }) => embedding));
    const again: string[] = [];
    for (const [index, { text }] of shared.entries()) {
      const result = given[index]!;
      if (result.status === 'fulfilled') found.set(text, result.value);
      // The request that asked first is gone; this one still waits for it.
      else if (result.reason instanceof Cancelled && !scope.signal.aborted) again.push(text);
      else throw result.reason;
    }
    for (const [index, embedding] of (await encoded).entries()) found.set(own[index]!, embedding);
    await this.encode(again, found, scope);
  }

  /** Encodes texts and lets others share the results. */
  private async submit(texts: readonly string[], scope: RequestScope): Promise<Float32Array[]> {
    if (texts.length === 0) return [];
    const embeddings = this.batcher.texts(texts, scope).then((outcomes) => outcomes.map(embeddingOf));
    const jobSize = texts.length;
    const entries = texts.map((text, index) => {
      const embedding = embeddings.then((all) => all[index]!);
      embedding.catch(() => undefined);
      const entry = { embedding, jobSize };
      this.pending.set(text, entry);
      return { text, entry };
    });
    try {
      const all = await embeddings;
      for (const [index, text] of texts.entries()) this.cache?.set(text, all[index]);
      return all;
    } finally {
      for (const { text, entry } of entries) if (this.pending.get(text) === entry) this.pending.delete(text);
    }
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
