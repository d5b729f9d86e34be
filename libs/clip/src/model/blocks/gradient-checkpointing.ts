/**
 * Gradient checkpointing (Chen et al. 2016): of a block, only its input stays in memory until the backward pass, which
 * computes the values inside it a second time. Takes about one more forward pass.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../context.js';
import { stack, type Layer } from '../layers/index.js';
import type { Weights } from '../types.js';

/** A block of a tower: a function of x, the context and other arguments, tensors among them. */
type BlockFunction<Rest extends readonly unknown[]> = (
  x: tf.Tensor,
  ctx: ForwardContext,
  ...rest: Rest
) => tf.Tensor;

/** The same block, which drops its inner values between forward and backward pass where the context asks for it. */
export function checkpointed<Rest extends readonly unknown[]>(
  block: Layer<BlockFunction<Rest>>,
): Layer<BlockFunction<Rest>> {
  const bind = (weights: Weights, name: string): BlockFunction<Rest> => {
    const apply = block.bind(weights, name);
    return (x, ctx, ...rest) => {
      if (!ctx.training || ctx.gradientCheckpointing !== true) return apply(x, ctx, ...rest);
      const names = block.specs(name).flatMap((spec) => (weights[spec.name] ? [spec.name] : []));
      const parameters = names.map((parameter) => weights[parameter]!);
      return recomputed(x, ctx, rest, parameters, (tensors) =>
        block.bind(Object.fromEntries(names.map((parameter, i) => [parameter, tensors[i]!])), name),
      );
    };
  };
  return { ...block, bind };
}

/** `count` blocks of a kind, each checkpointed. */
export const blockStack = <Rest extends readonly unknown[]>(
  count: number,
  make: (index: number) => Layer<BlockFunction<Rest>>,
): readonly Layer<BlockFunction<Rest>>[] => stack(count, (index) => checkpointed(make(index)));

/**
 * The block as one op with a gradient of its own.
 * @param bind the block with its parameters
 */
function recomputed<Rest extends readonly unknown[]>(
  x: tf.Tensor,
  ctx: ForwardContext,
  rest: Rest,
  parameters: readonly tf.Tensor[],
  bind: (parameters: readonly tf.Tensor[]) => BlockFunction<Rest>,
): tf.Tensor {
  const isTensor = rest.map((argument) => argument instanceof tf.Tensor);
  const operands = [x, ...rest.filter((_, i) => isTensor[i]), ...parameters] as tf.Tensor[];
  const firstParameter = operands.length - parameters.length;
  const apply = (tensors: readonly tf.Tensor[], context: ForwardContext): tf.Tensor => {
    const tensorArguments = tensors.slice(1, firstParameter);
    const own = rest.map((argument, i) => (isTensor[i] ? tensorArguments.shift() : argument)) as unknown;
    return bind(tensors.slice(firstParameter))(tensors[0]!, context, ...(own as Rest));
  };
  const { drawn } = ctx.masks;
  const block = tf.customGrad((...inputs) => {
    const save = inputs.pop() as tf.GradSaveFunc;
    const tensors = inputs as tf.Tensor[];
    const value = apply(tensors, ctx);
    // What the op makes inside is disposed of when it ends.
    for (const statistic of Object.values(ctx.statistics)) tf.keep(statistic);
    save(tensors);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [input, ...others] = saved as [tf.Tensor, ...tf.Tensor[]];
      const zero = zeroAfter(dy);
      const again: ForwardContext = {
        ...ctx,
        seed: ctx.seed && tf.add(ctx.seed, tf.cast(zero, 'int32')),
        masks: { drawn },
        statistics: {},
      };
      return gradientsWithin(
        (operands) => apply([tf.add(operands[0]!, zero), ...operands.slice(1)], again),
        [input, ...others],
        dy,
      );
    };
    return { value, gradFunc };
  });
  return block(...operands);
}

/**
 * A scalar 0 that needs a tensor. What it is added to can neither be merged with the same value of the forward pass nor
 * be computed before the tensor, by an optimisation of the recorded step.
 */
function zeroAfter(tensor: tf.Tensor): tf.Scalar {
  const first = tf.slice(tf.reshape(tensor, [tensor.size]), [0], [1]);
  return tf.reshape<tf.Rank.R0>(tf.mul(first, 0), []);
}

/** Gradients inside a backward pass, whose tape must outlive them. Operands without influence get zeros. */
function gradientsWithin(
  f: (operands: readonly tf.Tensor[]) => tf.Tensor,
  operands: tf.Tensor[],
  dy: tf.Tensor,
): tf.Tensor[] {
  const { state } = tf.engine();
  const outer = state.activeTape;
  const { grads } = tf.engine().gradients(() => f(operands), operands, dy, true);
  state.activeTape = outer;
  return operands.map((operand, i) => grads[i] ?? tf.zerosLike(operand));
}
