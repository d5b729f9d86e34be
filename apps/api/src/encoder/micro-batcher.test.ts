import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DecodeBudget } from './decode-budget.js';
import type { RequestScope } from './scope.js';
import type { EncodeOutcome, EncodeTask, ImageInput } from './encoder.js';
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
  const finishNext = async () => {
    finish.shift()!();
    await nextTurn();
  };
  const items = () =>
    batches.map((batch) => batch.items.map((item) => (typeof item === 'string' ? item : 'image')));
  return { batches, run, finishNext, items };
}

const options = () => ({ concurrency: 1, maxBatch: 4, maxQueue: 200, decodeBudget: new DecodeBudget(1000) });
const scope = (client = 'a', signal = new AbortController().signal): RequestScope => ({ client, signal });
const image = (memory = 1): ImageInput => ({ bytes: Buffer.of(1), pixels: 1, memory });
const many = (count: number, prefix: string) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe('the micro-batcher', () => {
  it('runs the first item at once and puts what came meanwhile into one batch', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), run: model.run });
    const results = [['a'], ['bb', 'ccc'], ['dddd']].map((texts) => batcher.texts(texts, scope()));
    expect(model.items()).toEqual([['a']]);
    await model.finishNext();
    expect(model.items()[1]?.sort()).toEqual(['bb', 'ccc', 'dddd']);
    await model.finishNext();
    const outcomes = (await Promise.all(results)).flat();
    expect(outcomes).toEqual([1, 2, 3, 4].map((length) => ({ embedding: Float32Array.of(length) })));
  });

  it('lets a small request overtake a large one, of the same client or another', async () => {
    for (const client of ['a', 'b']) {
      const model = slowModel();
      const batcher = new MicroBatcher({ ...options(), run: model.run });
      void batcher.texts(many(60, 'large '), scope('a'));
      await model.finishNext();
      void batcher.texts(['small'], scope(client));
      await model.finishNext();
      expect(model.items()[2]).toContain('small');
    }
  });

  it('continues with a large request while small ones keep coming', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), maxBatch: 1, run: model.run });
    void batcher.texts(many(20, 'large '), scope('a'));
    for (let n = 0; n < 40; n++) {
      void batcher.texts([`small ${n}`], scope('b'));
      await model.finishNext();
    }
    const large = model.items().filter(([text]) => text!.startsWith('large'));
    expect(large.length).toBeGreaterThan(10);
  });

  it('shares evenly between a client with many requests and one with a single one', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), maxBatch: 1, run: model.run });
    for (let n = 0; n < 20; n++) void batcher.texts(many(4, `busy ${n} `), scope('busy'));
    void batcher.texts(many(10, 'quiet '), scope('quiet'));
    for (let n = 0; n < 22; n++) await model.finishNext();
    const quiet = model.items().filter(([text]) => text!.startsWith('quiet'));
    expect(quiet.length).toBeGreaterThanOrEqual(9);
  });

  it('starves neither texts nor images', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), run: model.run });
    void batcher.texts(many(60, 'text '), scope('a'));
    void batcher.images(
      Array.from({ length: 60 }, () => image()),
      scope('b'),
    );
    for (let n = 0; n < 11; n++) await model.finishNext();
    const kinds = model.batches.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'text').length).toBeGreaterThanOrEqual(2);
    expect(kinds.filter((kind) => kind === 'image').length).toBeGreaterThanOrEqual(2);
  });

  it('serves requests before background work, which still gets on', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), maxBatch: 1, run: model.run });
    void batcher.images(Array.from({ length: 10 }, () => image(1)));
    void batcher.texts(many(20, ''), scope());
    for (let n = 0; n < 20; n++) await model.finishNext();
    const background = model.batches.filter(({ kind }) => kind === 'image').length;
    expect(background).toBeGreaterThanOrEqual(1);
    expect(background).toBeLessThanOrEqual(6);
  });

  it('does not pad short texts to a long one of another request', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), run: model.run });
    void batcher.texts(['runs'], scope());
    const long = 'x'.repeat(500);
    void batcher.texts(['short', long, 'brief'], scope('a'));
    void batcher.texts(['tiny'], scope('b'));
    await model.finishNext();
    await model.finishNext();
    expect(
      model
        .items()
        .slice(1)
        .map((batch) => batch.includes(long)),
    ).toEqual(expect.arrayContaining([true, false]));
    for (const batch of model.items()) expect(batch.length === 1 || !batch.includes(long)).toBe(true);
  });

  it('refuses what its queue has no room for, and keeps room for small requests beside large ones', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), maxQueue: 40, run: model.run });
    void batcher.texts(many(4, 'runs '), scope());
    void batcher.texts(many(26, 'waits '), scope());
    await expect(batcher.texts(many(5, 'large '), scope())).rejects.toMatchObject({
      code: 'overloaded',
      retryAfter: 1,
    });
    for (const text of many(14, 'small ')) void batcher.texts([text], scope());
    await expect(batcher.texts(['one too many'], scope())).rejects.toMatchObject({ code: 'overloaded' });
    void batcher.images([image()]);
    expect(batcher.queued).toBe(40);
  });

  it('drops the waiting items of a request that was given up', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), run: model.run });
    const controller = new AbortController();
    const given = batcher.texts(many(50, 'given up '), scope('a', controller.signal));
    void batcher.texts(['kept'], scope('b'));
    controller.abort();
    await expect(given).rejects.toThrow(/closed the connection/);
    expect(batcher.queued).toBe(1);
    await model.finishNext();
    expect(model.items()[1]).toEqual(['kept']);
    await expect(batcher.texts(['late'], scope('a', controller.signal))).rejects.toThrow(/closed/);
    expect(batcher.queued).toBe(0);
  });

  it('takes so much memory for decoding at one time and no more, in all its batches', async () => {
    const model = slowModel();
    const batcher = new MicroBatcher({ ...options(), concurrency: 2, run: model.run });
    const sizes = [400, 400, 400, 5000, 10];
    void batcher.images(
      sizes.map((memory) => image(memory)),
      scope(),
    );
    expect(model.items()).toEqual([['image', 'image']]);
    void batcher.texts(['not held up'], scope());
    expect(model.items()[1]).toEqual(['not held up']);
    await model.finishNext();
    await model.finishNext();
    expect(model.items()).toHaveLength(3);
    for (let n = 0; n < 3; n++) await model.finishNext().catch(() => undefined);
    expect(
      model
        .items()
        .flat()
        .filter((item) => item === 'image'),
    ).toHaveLength(5);
  });

  it('fails only the requests of the batch that failed', async () => {
    let calls = 0;
    const run = async (task: EncodeTask): Promise<EncodeOutcome[]> => {
      if (calls++ === 0) throw new Error('thread died');
      return task.items.map(() => ({ embedding: new Float32Array(1) }));
    };
    const batcher = new MicroBatcher({ ...options(), run });
    const [first, second] = await Promise.allSettled([
      batcher.texts(['a'], scope()),
      batcher.texts(['b'], scope()),
    ]);
    expect(first.status).toBe('rejected');
    expect(second.status).toBe('fulfilled');
  });
});
