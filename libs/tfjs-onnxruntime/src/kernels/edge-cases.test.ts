/** Edge cases that the published suite does not cover: it treats any two non-finite numbers as equal. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { beforeAll, describe, expect, it } from 'vitest';
import '../index.js';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

const contents = (tensor: tf.Tensor): number[] => Array.from(tensor.dataSync());

describe('elementwise kernels in edge cases', () => {
  it('atan2 treats signed zeros and infinities as Math.atan2 does', () => {
    const numbers = [0, -0, 1, -1, 2, Infinity, -Infinity];
    const pairs = numbers.flatMap((y) => numbers.map((x) => [y, x] as const));
    const angles = contents(
      tf.atan2(tf.tensor1d(pairs.map(([y]) => y)), tf.tensor1d(pairs.map(([, x]) => x))),
    );
    pairs.forEach(([y, x], i) => expect(angles[i], `atan2(${y}, ${x})`).toBeCloseTo(Math.atan2(y, x), 5));
  });

  it('integer division and remainder by zero give 0', () => {
    const a = tf.tensor1d([5, -5, 0], 'int32');
    const zero = tf.scalar(0, 'int32');
    expect(contents(tf.floorDiv(a, zero))).toEqual([0, 0, 0]);
    expect(contents(tf.mod(a, zero))).toEqual([0, 0, 0]);
  });

  it('the remainder has the sign of the divisor', () => {
    const a = tf.tensor1d([5, -5, 5, -5]);
    const b = tf.tensor1d([3, 3, -3, -3]);
    expect(contents(tf.mod(a, b))).toEqual([2, 1, -1, -2]);
    expect(contents(tf.mod(tf.cast(a, 'int32'), tf.cast(b, 'int32')))).toEqual([2, 1, -1, -2]);
  });

  it('casts of non-finite numbers to int32 give 0', () => {
    const numbers = tf.tensor1d([NaN, Infinity, -Infinity, -2.7, 2.7]);
    expect(contents(tf.cast(numbers, 'int32'))).toEqual([0, 0, 0, -2, 2]);
  });

  it('NaN propagates through max and min; argMax and argMin ignore it', () => {
    const numbers = tf.tensor1d([1, NaN, 3, 2]);
    expect(contents(tf.max(numbers))).toEqual([NaN]);
    expect(contents(tf.min(numbers))).toEqual([NaN]);
    expect(contents(tf.argMax(numbers))).toEqual([2]);
    expect(contents(tf.argMin(numbers))).toEqual([0]);
  });

  it('any of an empty tensor is false and all of it is true', () => {
    const nothing = tf.tensor1d([], 'bool');
    expect(contents(tf.any(nothing))).toEqual([0]);
    expect(contents(tf.all(nothing))).toEqual([1]);
  });
});

describe('sums over nothing', () => {
  const images = (N: number, C: number) => tf.ones<tf.Rank.R4>([N, 6, 6, C]);
  const filter = (...shape: [number, number, number, number]) => tf.ones<tf.Rank.R4>(shape);
  const volumes = (N: number, C: number) => tf.ones<tf.Rank.R5>([N, 4, 4, 4, C]);
  const conv = (x: tf.Tensor, f: tf.Tensor) => tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same');
  const depthwise = (x: tf.Tensor, f: tf.Tensor) =>
    tf.depthwiseConv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same');
  const conv3d = (x: tf.Tensor, f: tf.Tensor) => tf.conv3d(x as tf.Tensor5D, f as tf.Tensor5D, 1, 'same');
  const cases: Record<string, [result: () => tf.Tensor, shape: number[]]> = {
    'no images': [() => conv(images(0, 3), filter(3, 3, 3, 4)), [0, 6, 6, 4]],
    'the input gradient of no images': [
      () => tf.grad((x) => conv(x, filter(3, 3, 3, 4)))(images(0, 3)),
      [0, 6, 6, 3],
    ],
    'the filter gradient of no images': [
      () => tf.grad((f) => conv(images(0, 3), f))(filter(3, 3, 3, 4)),
      [3, 3, 3, 4],
    ],
    'the filter gradient of a patch embedding of no images': [
      () => tf.grad((f) => tf.conv2d(images(0, 3), f as tf.Tensor4D, 2, 'valid'))(filter(2, 2, 3, 4)),
      [2, 2, 3, 4],
    ],
    'no channels': [() => conv(images(2, 0), filter(3, 3, 0, 4)), [2, 6, 6, 4]],
    'no channels in the result': [() => conv(images(2, 3), filter(3, 3, 3, 0)), [2, 6, 6, 0]],
    'the input gradient of a result without channels': [
      () => tf.grad((x) => conv(x, filter(3, 3, 3, 0)))(images(2, 3)),
      [2, 6, 6, 3],
    ],
    'each channel of no images': [() => depthwise(images(0, 3), filter(3, 3, 3, 1)), [0, 6, 6, 3]],
    'the filter gradient of each channel of no images': [
      () => tf.grad((f) => depthwise(images(0, 3), f))(filter(3, 3, 3, 1)),
      [3, 3, 3, 1],
    ],
    'no volumes': [() => conv3d(volumes(0, 2), tf.ones([2, 2, 2, 2, 3])), [0, 4, 4, 4, 3]],
    'the filter gradient of no volumes': [
      () => tf.grad((f) => conv3d(volumes(0, 2), f))(tf.ones([2, 2, 2, 2, 3])),
      [2, 2, 2, 2, 3],
    ],
    'volumes without channels': [() => conv3d(volumes(1, 0), tf.ones([2, 2, 2, 0, 3])), [1, 4, 4, 4, 3]],
    'the input gradient of volumes without channels in the result': [
      () => tf.grad((x) => conv3d(x, tf.ones([2, 2, 2, 2, 0])))(volumes(1, 2)),
      [1, 4, 4, 4, 2],
    ],
    'products of matrices over no columns': [() => tf.matMul(tf.ones([5, 0]), tf.ones([0, 7])), [5, 7]],
    'products of transposed matrices over no columns': [
      () => tf.matMul(tf.ones([0, 5]), tf.ones([7, 0]), true, true),
      [5, 7],
    ],
    'products of batches over no columns': [
      () => tf.matMul(tf.ones([2, 5, 0]), tf.ones([2, 0, 7])),
      [2, 5, 7],
    ],
    'products of transposed batches over no columns': [
      () => tf.matMul(tf.ones([2, 0, 5]), tf.ones([2, 7, 0]), true, true),
      [2, 5, 7],
    ],
    'the largest of no images': [
      () => tf.grad((x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'same'))(images(0, 3)),
      [0, 6, 6, 3],
    ],
    'the mean of no volumes': [
      () => tf.grad((x) => tf.avgPool3d(x as tf.Tensor5D, 2, 2, 'same'))(volumes(0, 2)),
      [0, 4, 4, 4, 2],
    ],
  };

  // One run computes all that is pending, so each case is read before the next is recorded.
  it.each(Object.entries(cases))('%s: zeros, and the run returns', (_, [result, shape]) => {
    // What is left in the memory that the result may lie in.
    const noise = tf.fill([tf.util.sizeFromShape(shape)], NaN);
    contents(tf.addN(Array.from({ length: 8 }, (_, k) => tf.mul(noise, k))));
    const found = result();
    expect(found.shape).toEqual(shape);
    expect(contents(found)).toEqual(new Array<number>(found.size).fill(0));
  });
});

describe('sums into few rows', () => {
  it('lose nothing when thousands of rows share one segment', () => {
    const [N, D, segments] = [4096, 128, 20];
    const ids = tf.tensor1d(
      Int32Array.from({ length: N }, (_, i) => i % segments),
      'int32',
    );
    for (let repeat = 0; repeat < 5; repeat++) {
      const sums = tf.unsortedSegmentSum(tf.ones([N, D]), ids, segments).dataSync();
      const expected = (segment: number) => Math.ceil((N - segment) / segments);
      expect(sums.filter((sum, i) => sum !== expected(Math.floor(i / D)))).toHaveLength(0);
    }
  });

  it('lose nothing when scatterND and bincount hit the same position thousands of times', () => {
    const N = 100_000;
    const places = tf.tensor2d(
      Int32Array.from({ length: 2 * N }, (_, i) => (i >> 1) % 2),
      [N, 2],
      'int32',
    );
    const scattered = tf.scatterND(places, tf.ones([N]), [2, 2]);
    expect([...scattered.dataSync()]).toEqual([N / 2, 0, 0, N / 2]);
    const ones = tf.ones<tf.Rank.R1>([N], 'int32');
    expect([...tf.bincount(ones, tf.tensor1d([], 'int32'), 3).dataSync()]).toEqual([0, N, 0]);
  });

  it('scatterND refuses an index that is out of range in its own axis', () => {
    const outside = tf.tensor2d([[0, 5]], [1, 2], 'int32');
    expect(() => tf.scatterND(outside, tf.ones([1]), [3, 3]).dataSync()).toThrow('out of data bounds');
  });

  it('an op that fails leaves other tensors readable', () => {
    const failing = tf.scatterND(tf.tensor2d([[7]], [1, 1], 'int32'), tf.ones([1]), [3]);
    expect([...tf.add(tf.ones([2]), 1).dataSync()]).toEqual([2, 2]);
    expect(() => failing.dataSync()).toThrow('out of data bounds');
    failing.dispose();
  });
});

describe('transposing', () => {
  it('moves whole rows of a large batch to the same places as element by element', async () => {
    const [B, C, h, p, w, run] = [8, 3, 4, 32, 4, 176];
    const x = tf.reshape(tf.range(0, B * C * h * p * w * run, 1, 'int32'), [B, C, h, p, w, run]);
    expect(x.size).toBeGreaterThan(1 << 21);
    const found = await tf.transpose(x, [0, 2, 4, 1, 3, 5]).data();
    let next = 0;
    let wrong = 0;
    for (let b = 0; b < B; b++)
      for (let i = 0; i < h; i++)
        for (let j = 0; j < w; j++)
          for (let c = 0; c < C; c++)
            for (let k = 0; k < p; k++)
              for (let r = 0; r < run; r++) {
                const source = ((((b * C + c) * h + i) * p + k) * w + j) * run + r;
                if (found[next++] !== source) wrong++;
              }
    expect(wrong).toBe(0);
  });
});

describe('image kernels on batches', () => {
  // Made anew by each test: the backend that is there while tests are collected need not be the one that they run on.
  const image = () => tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);

  it('transform is applied to every image of a batch', () => {
    const shift = tf.tensor2d([[1, 0, 1, 0, 1, 0, 0, 0]]);
    const one = contents(tf.image.transform(image(), shift));
    const two = contents(tf.image.transform(tf.concat4d([image(), image()], 0), shift));
    expect(two).toEqual([...one, ...one]);
  });

  it('the gradient of nearest-neighbour resizing reaches every image of a batch', () => {
    const gradient = tf.grad((x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [4, 4]));
    const one = contents(gradient(image()));
    const two = contents(gradient(tf.concat([image(), image()], 0)));
    expect(one).toEqual([4, 4, 4, 4]);
    expect(two).toEqual([...one, ...one]);
  });
});

describe('strings', () => {
  it('are moved and compared like other elements', () => {
    const words = tf.tensor2d(['pear', 'apple', 'fig', 'apple'], [2, 2]);
    expect(tf.concat([tf.slice(words, [1, 0], [1, 2]), words]).arraySync()).toEqual([
      ['fig', 'apple'],
      ['pear', 'apple'],
      ['fig', 'apple'],
    ]);
    expect(contents(tf.less(words, tf.scalar('b')))).toEqual([0, 1, 0, 1]);
    expect(tf.unique(tf.reshape(words, [4])).values.arraySync()).toEqual(['pear', 'apple', 'fig']);
  });
});
