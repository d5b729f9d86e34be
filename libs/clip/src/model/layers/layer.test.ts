import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  buffer,
  integerBuffer,
  layer,
  layerNorm,
  linear,
  named,
  normal,
  ONES,
  optional,
  parameter,
  stack,
  untrained,
  ZEROS,
} from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const names = (declared: { specs(name: string): { name: string }[] }, name = '') =>
  declared.specs(name).map((spec) => spec.name);
const weightsOf = (all: readonly string[]) =>
  Object.fromEntries(all.map((name, i) => [name, tf.tensor1d([i])]));

describe('the tensors of a declared layer', () => {
  it('are named by their keys, in the order of the declaration, lists by position', () => {
    const block = () => layer({ dense: linear(2, 3, ZEROS), norm: layerNorm(3, 1e-5) }, () => undefined);
    const tower = layer({ embeddings: parameter([2], ONES), encoder: { layer: stack(2, block) } }, () => 0);
    expect(names(tower, 'vit')).toEqual([
      'vit.embeddings',
      ...['0', '1'].flatMap((i) =>
        ['dense.weight', 'dense.bias', 'norm.weight', 'norm.bias'].map(
          (name) => `vit.encoder.layer.${i}.${name}`,
        ),
      ),
    ]);
    expect(names(tower)[0]).toBe('embeddings');
  });

  it('are absent where the config leaves a layer out', () => {
    expect(names(layer({ scale: undefined, dense: linear(2, 2, ZEROS, false) }, () => 0))).toEqual([
      'dense.weight',
    ]);
  });

  it('stand under another name, or beside their siblings, where the checkpoint has them so', () => {
    const head = layer({ weight: parameter([1], ZEROS) }, () => 0);
    const renamed = layer({ vision: named('vision_model', head), flat: named('', head) }, () => 0);
    expect(names(renamed)).toEqual(['vision_model.weight', 'weight']);
    expect(names(renamed, 'a')).toEqual(['a.vision_model.weight', 'a.weight']);
  });

  it('say what trains, what a file alone needs and what a checkpoint may lack', () => {
    const declared = layer(
      {
        mean: buffer([2], ZEROS),
        count: integerBuffer([], ZEROS),
        table: untrained(parameter([2], ONES)),
        pooler: optional(linear(2, 2, normal(0.5), false)),
      },
      () => 0,
    );
    expect(declared.specs('n')).toEqual([
      { name: 'n.mean', shape: [2], init: ZEROS, trainable: false },
      { name: 'n.count', shape: [], init: ZEROS, trainable: false, dtype: 'int64' },
      { name: 'n.table', shape: [2], init: ONES, trainable: false },
      { name: 'n.pooler.weight', shape: [2, 2], init: normal(0.5), trainable: true, optional: true },
    ]);
  });
});

describe('binding a declared layer', () => {
  it('gives the tensors to the function, and the name that they have in the checkpoint', () => {
    const sum = layer(
      { a: parameter([1], ONES), b: { c: [parameter([1], ONES)] } },
      ({ a, b }, name) =>
        () => ({
          name,
          value: tf.add(a, b.c[0]).dataSync()[0],
        }),
    );
    const weights = { 'tower.a': tf.tensor1d([2]), 'tower.b.c.0': tf.tensor1d([5]) };
    expect(sum.bind(weights, 'tower')()).toEqual({ name: 'tower', value: 7 });
  });

  it('asks for a tensor when it is read: what is not used may be absent', () => {
    const two = layer({ used: parameter([1], ONES), unused: parameter([1], ONES) }, (parts) => ({
      first: () => parts.used.dataSync()[0],
      second: () => parts.unused.dataSync()[0],
    }));
    const bound = two.bind(weightsOf(['used']), '');
    expect(bound.first()).toBe(0);
    expect(() => bound.second()).toThrow(/needs a tensor that it was not given.*expected unused/s);
  });

  it('shows the tensors of a linear layer, the bias where there is one', () => {
    const weights = { 'l.weight': tf.tensor2d([[1, 2]]), 'l.bias': tf.tensor1d([3]) };
    const bound = linear(2, 1, ZEROS).bind(weights, 'l');
    expect(bound(tf.tensor2d([[1, 1]])).dataSync()[0]).toBe(6);
    expect(bound.weight.shape).toEqual([1, 2]);
    expect(linear(2, 1, ZEROS, false).bind(weights, 'l').bias).toBeUndefined();
  });
});

/** Compiled by `npm run check:types`, which fails where an expected error does not occur; not run. */
export function typesOfBoundLayers(config: { scale: boolean }) {
  return layer(
    {
      attention: { self: { query: linear(2, 2, ZEROS) }, LayerNorm: layerNorm(2, 1e-5) },
      layers: stack(2, () => linear(2, 2, ZEROS)),
      downsampling: [layerNorm(2, 1e-5), parameter([2], ONES)],
      scale: config.scale ? parameter([2], ONES) : undefined,
    },
    (parts) => {
      const { attention, layers, downsampling, scale } = parts;
      const x = attention.LayerNorm(attention.self.query(tf.zeros([1, 2])));
      // @ts-expect-error a misspelt name
      void attention.Layernorm;
      // @ts-expect-error a misspelt name deeper in the tree
      void attention.self.qeury;
      // @ts-expect-error a name that was not declared
      const { pooler } = parts;
      // @ts-expect-error a layer norm shows no weight
      void attention.LayerNorm.weight;
      // @ts-expect-error a layer that the config may leave out
      tf.mul(x, scale);
      // @ts-expect-error a list of two has no third
      void downsampling[2];
      // @ts-expect-error a tensor is no function
      downsampling[1](x);
      // @ts-expect-error a layer's input is a tensor
      layers[0]?.('x');
      return pooler as unknown;
    },
  );
}
