/**
 * MobileNetV2 (Sandler et al. 2018) as transformers' `MobileNetV2Model`: inverted residuals, each a pointwise
 * expansion, a depthwise convolution and a pointwise reduction, with batch norm. The pooled output is the mean of
 * the last feature map. B batch, C channels; NHWC inside.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { batchNorm, batchNormSpecs } from '../blocks/batch-norm.js';
import { activationName, configSchema, epsilon, noEffect, parseConfigWith, size } from '../config/schema.js';
import { activation, conv2d, depthwiseConv2d, toChannelsFirst, toChannelsLast } from '../ops/index.js';
import type { ForwardContext, TensorSpec, TowerDefinition, VisionInputs, Weights } from '../types.js';
import { param, paramSpec } from '../weights/params.js';
import { checkPixels, pair } from './patches.js';

/** In torch's sense: nearly the last batch's statistics alone. */
const MOMENTUM = 0.997;
/** The stem's output and each block's, at depth multiplier 1. */
const CHANNELS = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
const STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

const schema = configSchema({
  num_channels: size().default(3),
  image_size: z.union([size(), z.tuple([size(), size()])]).default(224),
  depth_multiplier: z.number().positive().default(1),
  depth_divisible_by: size().default(8),
  min_depth: size().default(8),
  expand_ratio: z.number().positive().default(6),
  output_stride: size().default(32),
  first_layer_is_expansion: z.boolean().default(true),
  finegrained_output: z.boolean().default(true),
  hidden_act: activationName().default('relu6'),
  tf_padding: z.boolean().default(true),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(0.001),
  // transformers' dual encoder wants the width of the pooled features under this name
  hidden_size: noEffect(),
  // heads
  classifier_dropout_prob: noEffect(),
  semantic_loss_ignore_index: noEffect(),
});

type Config = z.output<typeof schema>;

/** A multiple of the divisor near `value`, never more than 10 % below it. */
function divisible(value: number, { depth_divisible_by: divisor, min_depth }: Config): number {
  const near = Math.max(min_depth, Math.floor(Math.trunc(value + divisor / 2) / divisor) * divisor);
  return near < 0.9 * value ? near + divisor : near;
}

/** Python's round: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function scaled(channels: number, config: Config): number {
  return divisible(roundHalfEven(channels * config.depth_multiplier), config);
}

interface Conv {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly depthwise: boolean;
  readonly activated: boolean;
}

interface Block {
  readonly convs: readonly Conv[];
  readonly residual: boolean;
}

/** Every block in order, with every size worked out: the stem, 16 inverted residuals, the last convolution. */
function blocksOf(config: Config): Block[] {
  const pointwise = (name: string, inputs: number, outputs: number, activated = true): Conv => ({
    name,
    inputs,
    outputs,
    activated,
    kernel: 1,
    stride: 1,
    dilation: 1,
    depthwise: false,
  });
  const spatial = (name: string, channels: number, stride: number, dilation: number): Conv => ({
    name,
    inputs: channels,
    outputs: channels,
    kernel: 3,
    stride,
    dilation,
    depthwise: true,
    activated: true,
  });
  const widths = CHANNELS.map((channels) => scaled(channels, config));
  const wide = scaled(32, config);
  const blocks: Block[] = [
    {
      residual: false,
      convs: [
        { ...spatial('conv_stem.first_conv', wide, 2, 1), inputs: config.num_channels, depthwise: false },
        ...(config.first_layer_is_expansion ? [] : [pointwise('conv_stem.expand_1x1', wide, wide)]),
        spatial('conv_stem.conv_3x3', wide, 1, 1),
        pointwise('conv_stem.reduce_1x1', wide, widths[0]!, false),
      ],
    },
  ];
  let reached = 2; // stride of the feature map so far
  let dilation = 1;
  STRIDES.forEach((wanted, i) => {
    // Once the map is as small as output_stride allows, kernels dilate instead.
    const dilates = reached === config.output_stride;
    const stride = dilates ? 1 : wanted;
    const [inputs, outputs] = [widths[i]!, widths[i + 1]!];
    const expanded = divisible(roundHalfEven(inputs * config.expand_ratio), config);
    const name = `layer.${i}`;
    blocks.push({
      residual: stride === 1 && inputs === outputs,
      convs: [
        pointwise(`${name}.expand_1x1`, inputs, expanded),
        spatial(`${name}.conv_3x3`, expanded, stride, dilates ? dilation : 1),
        pointwise(`${name}.reduce_1x1`, expanded, outputs, false),
      ],
    });
    if (dilates) dilation *= wanted;
    else reached *= stride;
  });
  blocks.push({ residual: false, convs: [pointwise('conv_1x1', widths.at(-1)!, outputSize(config))] });
  return blocks;
}

function outputSize(config: Config): number {
  return config.finegrained_output && config.depth_multiplier < 1 ? 1280 : scaled(1280, config);
}

function tensorSpecs(config: Config): TensorSpec[] {
  const init = { kind: 'normal', std: config.initializer_range } as const;
  return blocksOf(config)
    .flatMap(({ convs }) => convs)
    .flatMap(({ name, inputs, outputs, kernel, depthwise }) => [
      paramSpec(`${name}.convolution.weight`, [outputs, depthwise ? 1 : inputs, kernel, kernel], init),
      ...batchNormSpecs(`${name}.normalization`, outputs),
    ]);
}

/** Convolution, batch norm and, where it has one, the activation. */
function convLayer(
  weights: Weights,
  conv: Conv,
  config: Config,
  x: tf.Tensor,
  ctx: ForwardContext,
): tf.Tensor {
  const weight = param(weights, `${conv.name}.convolution.weight`);
  const padding = config.tf_padding ? 'same' : Math.floor((conv.kernel - 1) / 2);
  const options = { stride: conv.stride, padding, dilation: conv.dilation } as const;
  const convolved = conv.depthwise ? depthwiseConv2d(x, weight, options) : conv2d(x, weight, options);
  const statistics = { epsilon: config.layer_norm_eps, momentum: MOMENTUM };
  const normed = batchNorm(weights, `${conv.name}.normalization`, convolved, statistics, ctx);
  return conv.activated ? activation(config.hidden_act)(normed) : normed;
}

function forward(weights: Weights, config: Config, { pixel_values }: VisionInputs, ctx: ForwardContext) {
  checkPixels(pixel_values, config.num_channels);
  const x = blocksOf(config).reduce((input: tf.Tensor, { convs, residual }) => {
    const output = convs.reduce((value, conv) => convLayer(weights, conv, config, value, ctx), input);
    return residual ? tf.add(input, output) : output;
  }, toChannelsLast(pixel_values));
  return { last_hidden_state: toChannelsFirst(x), pooler_output: tf.mean(x, [1, 2]) };
}

export const mobilenetV2: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['mobilenet_v2'],
  baseModelPrefix: 'mobilenet_v2',
  parseConfig: (json) => parseConfigWith(schema, 'mobilenet_v2', json),
  tensorSpecs,
  forward,
  outputSize,
  imageSize: (config) => pair(config.image_size),
};
