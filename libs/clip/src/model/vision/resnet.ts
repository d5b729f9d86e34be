/**
 * ResNet (He et al. 2015) as transformers' `ResNetModel`: residual stages of basic or bottleneck layers with batch
 * norm. The pooled output is the mean of the last feature map. B batch, C channels; NHWC inside.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { batchNorm, batchNormSpecs } from '../blocks/batch-norm.js';
import {
  activationName,
  BACKBONE_KEYS,
  configSchema,
  noEffect,
  parseConfigWith,
  requireConfig,
  size,
} from '../config/schema.js';
import { activation, conv2d, maxPool2d, toChannelsFirst, toChannelsLast } from '../ops/index.js';
import type { ForwardContext, TensorSpec, TowerDefinition, VisionInputs, Weights } from '../types.js';
import { param, paramSpec } from '../weights/params.js';
import { checkPixels } from './patches.js';

const BATCH_NORM = { epsilon: 1e-5, momentum: 0.1 };
/** Inside a layer, whatever hidden_act says: that one follows the stem and each sum. */
const INNER_ACTIVATION = 'relu';
/** How much narrower a bottleneck is than its stage. */
const REDUCTION = 4;

const schema = configSchema({
  ...BACKBONE_KEYS,
  num_channels: size().default(3),
  embedding_size: size().default(64),
  hidden_sizes: z.array(size()).min(1).default([256, 512, 1024, 2048]),
  depths: z.array(size()).min(1).default([3, 4, 6, 3]),
  layer_type: z.enum(['basic', 'bottleneck']).default('bottleneck'),
  hidden_act: activationName().default('relu'),
  downsample_in_first_stage: z.boolean().default(false),
  downsample_in_bottleneck: z.boolean().default(false),
  // transformers' dual encoder wants the width of the pooled features under this name
  hidden_size: noEffect(),
  // published configs carry it; the architecture takes any size
  image_size: noEffect(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'resnet', json);
  const { hidden_sizes, depths } = config;
  requireConfig(hidden_sizes.length === depths.length, 'resnet', 'as many hidden_sizes as depths', {
    hidden_sizes,
    depths,
  });
  return config;
}

interface Conv {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  /** What follows the batch norm, if anything. */
  readonly act?: string;
}

interface Layer {
  readonly convs: readonly Conv[];
  readonly shortcut?: Conv;
}

/** The layers of all stages in order, with every size worked out. */
function layersOf(config: Config): Layer[] {
  let inputs = config.embedding_size;
  return config.depths.flatMap((depth, stage) =>
    Array.from({ length: depth }, (_, i) => {
      const outputs = config.hidden_sizes[stage]!;
      const downsamples = i === 0 && (stage > 0 || config.downsample_in_first_stage);
      const layer = layerOf(
        config,
        `encoder.stages.${stage}.layers.${i}`,
        inputs,
        outputs,
        downsamples ? 2 : 1,
      );
      inputs = outputs;
      return layer;
    }),
  );
}

function layerOf(config: Config, name: string, inputs: number, outputs: number, stride: number): Layer {
  const conv = (i: number, from: number, to: number, kernel: number, step: number, act?: string): Conv => ({
    name: `${name}.layer.${i}`,
    inputs: from,
    outputs: to,
    kernel,
    stride: step,
    act,
  });
  const shortcut: Conv | undefined =
    inputs !== outputs || stride !== 1
      ? { name: `${name}.shortcut`, inputs, outputs, kernel: 1, stride }
      : undefined;
  if (config.layer_type === 'basic') {
    return {
      convs: [conv(0, inputs, outputs, 3, stride, INNER_ACTIVATION), conv(1, outputs, outputs, 3, 1)],
      shortcut,
    };
  }
  const narrow = Math.floor(outputs / REDUCTION);
  // downsample_in_bottleneck: false is torchvision's variant, true the paper's.
  const [first, second] = config.downsample_in_bottleneck ? [stride, 1] : [1, stride];
  return {
    convs: [
      conv(0, inputs, narrow, 1, first, INNER_ACTIVATION),
      conv(1, narrow, narrow, 3, second, INNER_ACTIVATION),
      conv(2, narrow, outputs, 1, 1),
    ],
    shortcut,
  };
}

function stem(config: Config): Conv {
  const { num_channels: inputs, embedding_size: outputs } = config;
  return { name: 'embedder.embedder', inputs, outputs, kernel: 7, stride: 2, act: config.hidden_act };
}

function tensorSpecs(config: Config): TensorSpec[] {
  const convs = [
    stem(config),
    ...layersOf(config).flatMap(({ convs, shortcut }) => [...convs, ...(shortcut ? [shortcut] : [])]),
  ];
  return convs.flatMap(({ name, inputs, outputs, kernel }) => [
    paramSpec(`${name}.convolution.weight`, [outputs, inputs, kernel, kernel], {
      kind: 'normal',
      std: Math.sqrt(2 / (outputs * kernel * kernel)), // He et al. 2015, by outputs
    }),
    ...batchNormSpecs(`${name}.normalization`, outputs),
  ]);
}

/** Convolution, batch norm and, where it has one, the activation. */
function convLayer(weights: Weights, conv: Conv, x: tf.Tensor, ctx: ForwardContext): tf.Tensor {
  const options = { stride: conv.stride, padding: Math.floor(conv.kernel / 2) };
  const convolved = conv2d(x, param(weights, `${conv.name}.convolution.weight`), options);
  const normed = batchNorm(weights, `${conv.name}.normalization`, convolved, BATCH_NORM, ctx);
  return conv.act === undefined ? normed : activation(conv.act)(normed);
}

function forward(weights: Weights, config: Config, { pixel_values }: VisionInputs, ctx: ForwardContext) {
  checkPixels(pixel_values, config.num_channels);
  const embedded = convLayer(weights, stem(config), toChannelsLast(pixel_values), ctx);
  let x = maxPool2d(embedded, 3, 2, 1);
  for (const { convs, shortcut } of layersOf(config)) {
    const residual = convs.reduce((input, conv) => convLayer(weights, conv, input, ctx), x);
    const kept = shortcut === undefined ? x : convLayer(weights, shortcut, x, ctx);
    x = activation(config.hidden_act)(tf.add(residual, kept));
  }
  return { last_hidden_state: toChannelsFirst(x), pooler_output: tf.mean(x, [1, 2]) };
}

export const resnet: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['resnet'],
  baseModelPrefix: 'resnet',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.hidden_sizes.at(-1)!,
};
