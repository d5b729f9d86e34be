import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { EncodeOutcome, EncodeTask } from './encoder.js';
import { LruCache } from './lru-cache.js';
import { MicroBatcher } from './micro-batcher.js';

/** A model whose runs end when the test says so. */
function slowModel() {
  const batches: EncodeTask[] = [];
  const finish: (() => void)[] = [];
  const run = (task: EncodeTask) =>
    new Promise<EncodeOutcome[]>((resolve) => {
      batches.push(task);
      finish.push(() => {
        resolve(task.items.map((item) => ({ embedding: Float32Array.of(item.length) })));
      });
    });
  return { batches, run, finishNext: () => finish.shift()!() };
}

describe('the micro-batcher', () => {
  it('runs the first item at once and puts what came meanwhile into one batch', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ run: model.run, concurrency: 1, maxBatch: 8, maxQueue: 100 });
    const results = [batcher.texts(['a']), batcher.texts(['bb', 'ccc']), batcher.texts(['dddd'])];
    expect(model.batches.map(({ items }) => items)).toEqual([['a']]);
    model.finishNext();
    await results[0];
    await nextTurn();
    expect(model.batches.map(({ items }) => items)).toEqual([['a'], ['bb', 'ccc', 'dddd']]);
    model.finishNext();
    const outcomes = (await Promise.all(results)).flat();
    expect(outcomes).toEqual([1, 2, 3, 4].map((length) => ({ embedding: Float32Array.of(length) })));
  });

  it('serves requests before background work', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ run: model.run, concurrency: 1, maxBatch: 1, maxQueue: 100 });
    void batcher.texts(['first']);
    void batcher.images([Uint8Array.of(1)], { background: true });
    void batcher.images([Uint8Array.of(2)]);
    model.finishNext();
    await nextTurn();
    model.finishNext();
    await nextTurn();
    expect(model.batches.map(({ items }) => items)).toEqual([
      ['first'],
      [Uint8Array.of(2)],
      [Uint8Array.of(1)],
    ]);
  });

  it('refuses requests beyond its queue, not background work', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ run: model.run, concurrency: 1, maxBatch: 1, maxQueue: 2 });
    void batcher.texts(['runs']);
    void batcher.texts(['waits', 'waits too']);
    await expect(batcher.texts(['too many'])).rejects.toMatchObject({ code: 'overloaded', retryAfter: 1 });
    void batcher.images([Uint8Array.of(1)], { background: true });
    expect(batcher.queued).toBe(2);
  });

  it('fails only the batch that failed', async () => {
    let calls = 0;
    const run = async (task: EncodeTask): Promise<EncodeOutcome[]> => {
      if (calls++ === 0) throw new Error('thread died');
      return task.items.map(() => ({ embedding: new Float32Array(1) }));
    };
    const batcher = new MicroBatcher({ run, concurrency: 1, maxBatch: 1, maxQueue: 10 });
    const [first, second] = await Promise.allSettled([batcher.texts(['a']), batcher.texts(['b'])]);
    expect(first.status).toBe('rejected');
    expect(second.status).toBe('fulfilled');
  });
});

describe('the cache', () => {
  it('drops what was used longest ago', () => {
    const cache = new LruCache<number>(2);
    cache.set('a', 1);
    cache.set('b', 2);
    cache.get('a');
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size]).toEqual([1, undefined, 3, 2]);
  });

  it('keeps nothing with capacity 0', () => {
    const cache = new LruCache<number>(0);
    cache.set('a', 1);
    expect(cache.size).toBe(0);
  });
});
