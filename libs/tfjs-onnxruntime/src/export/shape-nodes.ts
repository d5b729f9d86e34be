/** ONNX nodes that compute shape constants from the sizes of the model's inputs at run time. */
import type { ElementType } from '../graph/value.js';
import { ONNX_ELEMENT } from '../graph/value.js';
import { tensorMessage, type NodeMessage, type TensorMessage } from '../onnx/types.js';
import { isConstant, type Polynomial } from './polynomial.js';

/** Where the size of a dynamic axis can be read: an input and one of its dimensions. */
export interface AxisSource {
  name: string;
  input: string;
  dimension: number;
}

export class ShapeNodes {
  readonly nodes: NodeMessage[] = [];
  readonly initializers: TensorMessage[] = [];
  readonly #known = new Map<string, string>();
  readonly #axes: readonly AxisSource[];
  #count = 0;

  constructor(axes: readonly AxisSource[]) {
    this.#axes = axes;
  }

  /** Computes the vector (or scalar, for an empty shape) of these numbers under the name `target`. */
  emit(target: string, numbers: readonly Polynomial[], type: ElementType, shape: readonly number[]): void {
    const parts = numbers.map((p) => this.#number(p));
    const vector =
      parts.length === 1 ? parts[0]! : this.#node('Concat', parts, `${target}_vector`, { axis: 0 });
    const shaped = this.#node('Reshape', [vector, this.#constant(shape)], `${target}_shaped`);
    const output = this.nodes[this.nodes.length - 1]!;
    if (type === 'int64') output.output = [target];
    else
      this.nodes.push({
        opType: 'Cast',
        input: [shaped],
        output: [target],
        attribute: [integer('to', ONNX_ELEMENT[type])],
      });
  }

  /** A vector with one element. */
  #number(p: Polynomial): string {
    if (isConstant(p)) return this.#constant([p[0]!]);
    return this.#once(`p:${p.join(',')}`, (name) => {
      const terms = p.flatMap((coefficient, subset) => {
        if (coefficient === 0) return [];
        const factors = this.#axes.flatMap((_, k) => (subset & (1 << k) ? [this.#size(k)] : []));
        if (coefficient !== 1 || factors.length === 0) factors.push(this.#constant([coefficient]));
        return [this.#fold('Mul', factors, `${name}_term${subset}`)];
      });
      return this.#fold('Add', terms, name);
    });
  }

  #size(axis: number): string {
    const { input, dimension } = this.#axes[axis]!;
    return this.#once(`axis:${axis}`, (name) => {
      const shape = this.#node('Shape', [input], `${name}_shape`);
      return this.#node('Gather', [shape, this.#constant([dimension])], name, { axis: 0 });
    });
  }

  #fold(op: string, values: string[], name: string): string {
    return values.reduce((left, right, i) => this.#node(op, [left, right], `${name}_${i}`));
  }

  #constant(numbers: readonly number[]): string {
    return this.#once(`c:${numbers.join(',')}`, (name) => {
      const data = BigInt64Array.from(numbers, (n) => BigInt(n));
      this.initializers.push(tensorMessage(name, 'int64', [numbers.length], data));
      return name;
    });
  }

  #once(key: string, create: (name: string) => string): string {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const created = create(`size${this.#count++}`);
    this.#known.set(key, created);
    return created;
  }

  #node(
    opType: string,
    input: string[],
    name: string,
    attributes: Readonly<Record<string, number>> = {},
  ): string {
    const attribute = Object.entries(attributes).map(([key, value]) => integer(key, value));
    this.nodes.push({ opType, name, input, output: [name], attribute });
    return name;
  }
}

const integer = (name: string, i: number) => ({ name, type: 2, i });
