/**
 * MobileNetV2 (Sandler et al. 2018) as transformers' `MobileNetV2Model`: inverted residuals, each a pointwise
 * expansion, a depthwise convolution and a pointwise reduction, with batch norm. The pooled output is the mean of
 * the last feature map. B batch, C input and O output channels, E expanded channels; NHWC inside.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { convNorm, type ConvNorm } from '../blocks/conv-norm.js';
import { checkpointed } from '../blocks/gradient-checkpointing.js';
import * as field from '../config/schema.js';
import { layer, normal, type Layer } from '../layers/index.js';
import { conv2d, depthwiseConv2d, toChannelsFirst, toChannelsLast } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import {
  blockWidths,
  expandedWidth,
  lastWidth,
  stemWidth,
  stridesAndDilations,
} from './mobilenet-v2-sizes.js';
import { checkPixels } from './patches.js';

/** In torch's sense: nearly the last batch's statistics alone. */
const MOMENTUM = 0.997;
const schema = field.configSchema({
  num_channels: field.size().default(3),
  image_size: field.sides(224),
  depth_multiplier: z.number().positive().default(1),
  depth_divisible_by: field.size().default(8),
  min_depth: field.size().default(8),
  expand_ratio: z.number().positive().default(6),
  output_stride: field.size().default(32),
  first_layer_is_expansion: z.boolean().default(true),
  finegrained_output: z.boolean().default(true),
  hidden_act: field.activationName().default('relu6'),
  tf_padding: z.boolean().default(true),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: field.epsilon().default(0.001),
  // transformers' dual encoder wants the width of the pooled features under this name
  hidden_size: field.noEffect(),
  // heads
  classifier_dropout_prob: field.noEffect(),
  semantic_loss_ignore_index: field.noEffect(),
});

type Config = z.output<typeof schema>;

/** The convolutions of a config's model: they share initialiser, padding, statistics and activation. */
function convolutions(config: Config) {
  const common = {
    init: normal(config.initializer_range),
    statistics: { epsilon: config.layer_norm_eps, momentum: MOMENTUM },
  };
  const { hidden_act, tf_padding } = config;
  const padding = tf_padding ? 'same' : 1;
  return {
    /** 3 × 3 with stride 2, the first of the model. */
    first: (C: number, O: number) =>
      convNorm({
        ...common,
        shape: [O, C, 3, 3],
        convolve: (x, weight) => conv2d(x, weight, { stride: 2, padding }),
        act: hidden_act,
      }),
    pointwise: (C: number, O: number, act?: string) =>
      convNorm({
        ...common,
        shape: [O, C, 1, 1],
        convolve: (x, weight) => conv2d(x, weight, { stride: 1, padding: 0 }),
        act,
      }),
    /** 3 × 3, depthwise. */
    depthwise: (C: number, stride: number, dilation: number) =>
      convNorm({
        ...common,
        shape: [C, 1, 3, 3],
        convolve: (x, weight) => depthwiseConv2d(x, weight, { stride, padding, dilation }),
        act: hidden_act,
      }),
  };
}

/** x [B, h, w, C] → [B, h / stride, w / stride, O] */
function invertedResidual(
  config: Config,
  [C, O]: readonly [number, number],
  { stride, dilation }: { stride: number; dilation: number },
): Layer<ConvNorm> {
  const { pointwise, depthwise } = convolutions(config);
  const E = expandedWidth(C, config);
  return layer(
    {
      expand_1x1: pointwise(C, E, config.hidden_act),
      conv_3x3: depthwise(E, stride, dilation),
      reduce_1x1: pointwise(E, O),
    },
    ({ expand_1x1, conv_3x3, reduce_1x1 }) =>
      (x, ctx) => {
        const output = reduce_1x1(conv_3x3(expand_1x1(x, ctx), ctx), ctx);
        return stride === 1 && C === O ? tf.add(x, output) : output;
      },
  );
}

/** x [B, H, W, C] → [B, H / 2, W / 2, O] */
function stem(config: Config, C: number, O: number): Layer<ConvNorm> {
  const { first, pointwise, depthwise } = convolutions(config);
  const E = stemWidth(config);
  return layer(
    {
      first_conv: first(C, E),
      expand_1x1: config.first_layer_is_expansion ? undefined : pointwise(E, E, config.hidden_act),
      conv_3x3: depthwise(E, 1, 1),
      reduce_1x1: pointwise(E, O),
    },
    ({ first_conv, expand_1x1, conv_3x3, reduce_1x1 }) =>
      (x, ctx) => {
        const wide = first_conv(x, ctx); // [B, H / 2, W / 2, E]
        return reduce_1x1(conv_3x3(expand_1x1 === undefined ? wide : expand_1x1(wide, ctx), ctx), ctx);
      },
  );
}

function mobilenetTower(config: Config): Layer<Forward<VisionInputs>> {
  const widths = blockWidths(config);
  const { pointwise } = convolutions(config);
  return layer(
    {
      conv_stem: stem(config, config.num_channels, widths[0]!),
      layer: stridesAndDilations(config.output_stride).map((step, i) =>
        checkpointed(invertedResidual(config, [widths[i]!, widths[i + 1]!], step)),
      ),
      conv_1x1: pointwise(widths.at(-1)!, lastWidth(config), config.hidden_act),
    },
    ({ conv_stem, layer: blocks, conv_1x1 }) =>
      ({ pixel_values }, ctx) => {
        checkPixels(pixel_values, config.num_channels);
        const stem = conv_stem(toChannelsLast(pixel_values), ctx);
        const features = blocks.reduce((input, block) => block(input, ctx), stem);
        const x = conv_1x1(features, ctx); // [B, h, w, O]
        return { last_hidden_state: toChannelsFirst(x), pooler_output: tf.mean(x, [1, 2]) };
      },
  );
}

export const mobilenetV2: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['mobilenet_v2'],
  baseModelPrefix: 'mobilenet_v2',
  parseConfig: (json) => field.parseConfigWith(schema, 'mobilenet_v2', json),
  layer: mobilenetTower,
  outputSize: lastWidth,
  imageSize: (config) => config.image_size,
};
