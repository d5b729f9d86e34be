/** What runs of the models and the cache of texts tell, over all models that are loaded. */
import { Counter, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { EncodeTask } from './encoder.js';

export class EncoderMetrics {
  private readonly sizes: Histogram<'kind'>;
  private readonly seconds: Histogram<'kind'>;
  private readonly lookups: Counter<'result'>;

  constructor(registry: Registry) {
    this.sizes = new Histogram({
      name: 'encoder_batch_size',
      help: 'Items in one run of the model.',
      labelNames: ['kind'],
      buckets: [1, 2, 4, 8, 16, 32, 64],
      registers: [registry],
    });
    this.seconds = new Histogram({
      name: 'encoder_run_seconds',
      help: 'Time of one run of the model.',
      labelNames: ['kind'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers: [registry],
    });
    this.lookups = new Counter({
      name: 'text_cache_lookups_total',
      help: 'Texts looked up in the embedding cache, by result.',
      labelNames: ['result'],
      registers: [registry],
    });
  }

  /** Counts a run's size and time. */
  async measure<T>({ kind, items }: EncodeTask, run: () => Promise<T>): Promise<T> {
    const start = performance.now();
    this.sizes.observe({ kind }, items.length);
    try {
      return await run();
    } finally {
      this.seconds.observe({ kind }, (performance.now() - start) / 1000);
    }
  }

  countLookups(hits: number, misses: number): void {
    this.lookups.inc({ result: 'hit' }, hits);
    this.lookups.inc({ result: 'miss' }, misses);
  }
}
