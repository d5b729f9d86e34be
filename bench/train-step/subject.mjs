/**
 * What is timed: the trainer's own program (@clip-ts/clip/train) for a shape, with random weights and one batch that
 * stays the same. The step itself is not implemented here.
 */
import { createDualEncoder, dualEncoderSpecs, initWeights } from '@clip-ts/clip/model';
import {
  contrastiveProgram,
  float32,
  initialState,
  int32,
  intScalar,
  trainableNames,
  updateInputs,
} from '@clip-ts/clip/train';
import { makeBatch, OPTIMIZER } from './shapes.mjs';

/**
 * The model with all tokens computed in the towers' last blocks, also those that nothing reads.
 * @param {import('@clip-ts/clip/model').DualEncoder} model
 * @returns {import('@clip-ts/clip/model').DualEncoder}
 */
function withAllTokens(model) {
  /** @param {import('@clip-ts/clip/model').ForwardContext} ctx */
  const all = (ctx) => ({ ...ctx, outputPositions: /** @type {const} */ ('all') });
  /** @type {typeof model.layer.bind} */
  const bind = (weights, name) => {
    const bound = model.layer.bind(weights, name);
    return {
      ...bound,
      encodeImages: (inputs, ctx) => bound.encodeImages(inputs, all(ctx)),
      encodeTexts: (inputs, ctx) => bound.encodeTexts(inputs, all(ctx)),
    };
  };
  return { ...model, layer: { ...model.layer, bind } };
}

/** @param {import('./shapes.mjs').Shape} shape */
function modelOf({ vision, text, projection, allTokens }) {
  const model = createDualEncoder({
    model_type: 'vision-text-dual-encoder',
    vision_config: vision,
    text_config: text,
    projection_dim: projection,
    logit_scale_init_value: 2.6592,
  });
  return allTokens ? withAllTokens(model) : model;
}

/** @param {{ name: string, shape: readonly number[] }[]} specs @param {string[]} names */
function countOf(specs, names) {
  const wanted = new Set(names);
  const sizes = specs.map(({ name, shape }) => (wanted.has(name) ? shape.reduce((n, d) => n * d, 1) : 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * The program, its first state, and the inputs of `step`.
 * @param {import('./shapes.mjs').Shape} shape
 */
export function createSubject(shape) {
  const model = modelOf(shape);
  const specs = dualEncoderSpecs(model).filter(({ dtype }) => dtype !== 'int64');
  const trainable = trainableNames(model, specs, { frozenTowers: shape.frozen, learnTemperature: true });
  const { learningRate, maxGradNorm, ...adamw } = OPTIMIZER;
  const program = contrastiveProgram(model, trainable, {
    ...adamw,
    maxGradNorm,
    frozenTowers: shape.frozen,
    batchNorm: 'evaluation',
  });
  const { pixels, ids } = makeBatch(shape);
  const { batch, image, tokens } = shape;
  const pairs = {
    pixel_values: float32(pixels, [batch, 3, image, image]),
    input_ids: int32(ids, [batch, tokens]),
    attention_mask: int32(new Int32Array(ids.length).fill(1), [batch, tokens]),
  };
  return {
    program,
    // Whoever takes the state is the only one to hold the weights.
    state: initialState(initWeights(specs, 1), trainable, false),
    /** Inputs of `step`, the step counted from 0. @param {number} step @param {number} [lossScale] */
    inputsAt: (step, lossScale) => ({
      ...pairs,
      seed: intScalar(step),
      ...updateInputs(learningRate, step, OPTIMIZER, lossScale),
    }),
    /** How many numbers learn. */
    parameters: countOf(specs, trainable),
  };
}
