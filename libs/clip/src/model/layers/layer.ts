/**
 * Declared layers: a layer names its tensors once, and both follow from that, what a checkpoint holds and the forward
 * pass. Trees of layers have the keys of the checkpoint; bound to weights, the same tree has functions and tensors for
 * leaves, so a misspelt name is a type error. docs/decisions/002-declared-layers.md says why.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';
import type { Initializer, TensorSpec, Weights } from '../types.js';

export interface Layer<Applied> {
  /** The tensors that it owns under a name, in the order of the checkpoint. */
  specs(name: string): TensorSpec[];
  /** What it is once its tensors are there, under a name: a function of its inputs, or a tensor. */
  bind(weights: Weights, name: string): Applied;
  /** Its name in the checkpoint where that is not the key it stands under; '' for none. */
  readonly checkpointKey?: string;
}

/** Layers by checkpoint key; lists count 0, 1, …; undefined is a layer that the config leaves out. */
export type Tree = Layer<unknown> | undefined | readonly Tree[] | { readonly [key: string]: Tree };

/** A tree with each layer replaced by what it binds to. */
export type Bound<T> = T extends Layer<infer Applied> ? Applied : { readonly [K in keyof T]: Bound<T[K]> };

/** A layer made of others. `apply` gets them bound, each when it is first asked for, and the layer's own name. */
export function layer<const T extends Tree, Applied>(
  children: T,
  apply: (bound: Bound<T>, name: string) => Applied,
): Layer<Applied> {
  return {
    specs: (name) => specsOf(children, name),
    bind: (weights, name) => apply(bindTree(children, weights, name) as Bound<T>, name),
  };
}

/** A trainable tensor. */
export function parameter(shape: readonly number[], init: Initializer): Layer<tf.Tensor> {
  return { specs: (name) => [{ name, shape, init, trainable: true }], bind: tensorNamed };
}

/** A tensor that no optimiser changes. */
export function buffer(shape: readonly number[], init: Initializer): Layer<tf.Tensor> {
  return untrained(parameter(shape, init));
}

/** A buffer of integers: int64 in the checkpoint, as PyTorch has it, and int32 in a forward pass. */
export function integerBuffer(shape: readonly number[], init: Initializer): Layer<tf.Tensor> {
  return describedAs(buffer(shape, init), (spec) => ({ ...spec, dtype: 'int64' }));
}

/** A layer that a checkpoint may lack; it is then initialised, with a warning. */
export function optional<Applied>(inner: Layer<Applied>): Layer<Applied> {
  return describedAs(inner, (spec) => ({ ...spec, optional: true }));
}

/** The same layer, with tensors that training leaves as they are. */
export function untrained<Applied>(inner: Layer<Applied>): Layer<Applied> {
  return describedAs(inner, (spec) => ({ ...spec, trainable: false }));
}

/** The same layer with its tensors described otherwise. */
export function describedAs<Applied>(
  inner: Layer<Applied>,
  change: (spec: TensorSpec) => TensorSpec,
): Layer<Applied> {
  return { ...inner, specs: (name) => inner.specs(name).map(change) };
}

/** The same layer under another name than its key in the tree; '' puts its tensors beside its siblings'. */
export function named<Applied>(checkpointKey: string, inner: Layer<Applied>): Layer<Applied> {
  return { ...inner, checkpointKey };
}

/** `count` layers of a kind. */
export function stack<Applied>(
  count: number,
  make: (index: number) => Layer<Applied>,
): readonly Layer<Applied>[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function specsOf(node: Tree, name: string): TensorSpec[] {
  if (node === undefined) return [];
  if (isLayer(node)) return node.specs(name);
  return Object.entries(node).flatMap(([key, child]) => specsOf(child, nameOf(name, key, child)));
}

/** Children are bound when they are read: encoding texts needs no weights of the image tower. */
function bindTree(node: Tree, weights: Weights, name: string): unknown {
  if (node === undefined) return undefined;
  if (isLayer(node)) return node.bind(weights, name);
  if (isList(node)) return node.map((child, i) => bindTree(child, weights, nameOf(name, String(i), child)));
  const bound = {};
  for (const [key, child] of Object.entries(node)) {
    const get = () => bindTree(child, weights, nameOf(name, key, child));
    Object.defineProperty(bound, key, { get, enumerable: true });
  }
  return bound;
}

function isLayer(node: Tree): node is Layer<unknown> {
  return typeof node === 'object' && 'bind' in node && typeof node.bind === 'function';
}

function isList(node: Tree): node is readonly Tree[] {
  return Array.isArray(node);
}

function nameOf(parent: string, key: string, child: Tree): string {
  const own = (isLayer(child) ? child.checkpointKey : undefined) ?? key;
  return [parent, own].filter((part) => part !== '').join('.');
}

/** @throws ClipError WEIGHTS_MISMATCH when there is no such tensor. */
function tensorNamed(weights: Weights, name: string): tf.Tensor {
  const tensor = weights[name];
  if (tensor === undefined) {
    throw new ClipError('WEIGHTS_MISMATCH', 'A forward pass needs a tensor that it was not given', {
      expected: name,
      found: `${Object.keys(weights).length} other tensors`,
    });
  }
  return tensor;
}
