/**
 * ResNet (He et al. 2015) as transformers' `ResNetModel`: residual stages of basic or bottleneck layers with batch
 * norm. The pooled output is the mean of the last feature map. B batch, C input and O output channels; NHWC inside.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { convNorm, type ConvNorm } from '../blocks/conv-norm.js';
import { checkpointed } from '../blocks/gradient-checkpointing.js';
import * as field from '../config/schema.js';
import { layer, normal, type Layer } from '../layers/index.js';
import { activation, conv2d, maxPool2d, toChannelsFirst, toChannelsLast } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import { checkPixels } from './patches.js';

const BATCH_NORM = { epsilon: 1e-5, momentum: 0.1 };
/** Inside a layer, whatever hidden_act says: that one follows the stem and each sum. */
const INNER_ACTIVATION = 'relu';
/** How much narrower a bottleneck is than its stage. */
const REDUCTION = 4;

const schema = field.configSchema({
  ...field.BACKBONE_KEYS,
  num_channels: field.size().default(3),
  embedding_size: field.size().default(64),
  hidden_sizes: z.array(field.size()).min(1).default([256, 512, 1024, 2048]),
  depths: z.array(field.size()).min(1).default([3, 4, 6, 3]),
  layer_type: z.enum(['basic', 'bottleneck']).default('bottleneck'),
  hidden_act: field.activationName().default('relu'),
  downsample_in_first_stage: z.boolean().default(false),
  downsample_in_bottleneck: z.boolean().default(false),
  // transformers' dual encoder wants the width of the pooled features under this name
  hidden_size: field.noEffect(),
  // published configs carry it; the architecture takes any size
  image_size: field.noEffect(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = field.parseConfigWith(schema, 'resnet', json);
  const { hidden_sizes, depths } = config;
  const same = hidden_sizes.length === depths.length;
  field.requireConfig(same, 'resnet', 'as many hidden_sizes as depths', { hidden_sizes, depths });
  return config;
}

/** A k × k convolution that keeps the size at stride 1, with batch norm. */
function conv(C: number, O: number, k: number, stride: number, act?: string): Layer<ConvNorm> {
  return convNorm({
    shape: [O, C, k, k],
    init: normal(Math.sqrt(2 / (O * k * k))), // He et al. 2015, by outputs
    convolve: (x, weight) => conv2d(x, weight, { stride, padding: Math.floor(k / 2) }),
    statistics: BATCH_NORM,
    act,
  });
}

/** x [B, h, w, C] → [B, h / stride, w / stride, O] */
function resnetLayer(config: Config, C: number, O: number, stride: number): Layer<ConvNorm> {
  const convs = config.layer_type === 'basic' ? basic(C, O, stride) : bottleneck(config, C, O, stride);
  const shortcut = C !== O || stride !== 1 ? conv(C, O, 1, stride) : undefined;
  return layer({ layer: convs, shortcut }, ({ layer: convs, shortcut }) => (x, ctx) => {
    const residual = convs.reduce((input, conv) => conv(input, ctx), x);
    return activation(config.hidden_act)(tf.add(residual, shortcut === undefined ? x : shortcut(x, ctx)));
  });
}

function basic(C: number, O: number, stride: number): Layer<ConvNorm>[] {
  return [conv(C, O, 3, stride, INNER_ACTIVATION), conv(O, O, 3, 1)];
}

function bottleneck(config: Config, C: number, O: number, stride: number): Layer<ConvNorm>[] {
  const N = Math.floor(O / REDUCTION);
  // downsample_in_bottleneck: false is torchvision's variant, true the paper's.
  const [first, second] = config.downsample_in_bottleneck ? [stride, 1] : [1, stride];
  return [conv(C, N, 1, first, INNER_ACTIVATION), conv(N, N, 3, second, INNER_ACTIVATION), conv(N, O, 1, 1)];
}

function resnetTower(config: Config): Layer<Forward<VisionInputs>> {
  const { num_channels, embedding_size, hidden_sizes, depths } = config;
  const stages = depths.map((depth, stage) => {
    const [C, O] = [hidden_sizes[stage - 1] ?? embedding_size, hidden_sizes[stage]!];
    const stride = stage > 0 || config.downsample_in_first_stage ? 2 : 1;
    const layers = Array.from({ length: depth }, (_, i) =>
      checkpointed(i === 0 ? resnetLayer(config, C, O, stride) : resnetLayer(config, O, O, 1)),
    );
    return { layers };
  });
  return layer(
    {
      embedder: { embedder: conv(num_channels, embedding_size, 7, 2, config.hidden_act) },
      encoder: { stages },
    },
    ({ embedder, encoder }) =>
      ({ pixel_values }, ctx) => {
        checkPixels(pixel_values, num_channels);
        const stem = embedder.embedder(toChannelsLast(pixel_values), ctx); // [B, H / 2, W / 2, C]
        const layers = encoder.stages.flatMap(({ layers }) => layers);
        const x = layers.reduce((input, layer) => layer(input, ctx), maxPool2d(stem, 3, 2, 1)); // [B, h, w, O]
        return { last_hidden_state: toChannelsFirst(x), pooler_output: tf.mean(x, [1, 2]) };
      },
  );
}

export const resnet: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['resnet'],
  baseModelPrefix: 'resnet',
  parseConfig,
  layer: resnetTower,
  outputSize: (config) => config.hidden_sizes.at(-1)!,
};
