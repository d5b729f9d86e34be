import { describe, expect, it } from 'vitest';
import { fuse } from './fuse.js';
import { filled, reshape } from './layout.js';
import { add, greater, mul, where } from './ops.js';
import { matMul } from './products.js';
import { order } from './order.js';
import { placeholder, type Value } from './value.js';

const matrix = (name: string, shape: number[]): Value => placeholder(name, 'float32', shape);
const opsOf = (wanted: Value[]): string[] =>
  fuse(order(wanted), wanted).nodes.map((n) => `${n.op}/${n.inputs.length}`);

describe('fusion into Gemm', () => {
  const a = matrix('a', [6, 4]);
  const b = matrix('b', [4, 5]);
  const bias = matrix('bias', [5]);

  it('takes a bias, also behind a Reshape', () => {
    expect(opsOf([add(matMul(a, b), bias)])).toEqual(['Gemm/3']);
    expect(opsOf([add(reshape(matMul(a, b), [2, 3, 5]), bias)])).toEqual(['Gemm/3', 'Reshape/2']);
  });

  it('takes sums of products and constant factors', () => {
    expect(opsOf([add(matMul(a, b), matMul(a, b))])).toEqual(['Gemm/2', 'Gemm/3']);
    expect(opsOf([mul(matMul(a, b), 0.5)])).toEqual(['Gemm/2']);
    const rows = (v: Value) => reshape(v, [2, 3, 5]);
    expect(opsOf([add(rows(matMul(a, b)), matrix('c', [2, 3, 5]))])).toEqual([
      'Reshape/2',
      'Gemm/3',
      'Reshape/2',
    ]);
  });

  it('leaves large sums to Add, which runs on all threads', () => {
    const product = () => matMul(matrix('wide', [512, 4]), matrix('tall', [4, 512]));
    expect(opsOf([add(product(), matrix('row', [512]))])).toEqual(['Gemm/2', 'Add/2']);
    expect(opsOf([mul(product(), 0.5)])).toEqual(['Gemm/2']);
  });

  it('leaves a product as it is when another op reads it', () => {
    const product = matMul(a, b);
    expect(opsOf([add(product, bias), product])).toEqual(['Gemm/2', 'Add/2']);
    expect(opsOf([add(product, bias), mul(product, product)])).toEqual(['Gemm/2', 'Add/2', 'Mul/2']);
  });
});

describe('tensors of one number', () => {
  const x = matrix('x', [300, 4]);

  it('are not filled where another operand has the shape', () => {
    const zeros = filled(0, 'float32', [300, 4]);
    expect(opsOf([where(greater(x, 0), x, zeros)])).toEqual(['Greater/2', 'Where/3']);
    expect(opsOf([add(x, filled(2, 'float32', [300, 4]))])).toEqual(['Add/2']);
  });

  it('are filled where the result has its shape from them', () => {
    expect(opsOf([add(matrix('row', [4]), filled(2, 'float32', [300, 4]))])).toEqual(['Expand/2', 'Add/2']);
  });
});
