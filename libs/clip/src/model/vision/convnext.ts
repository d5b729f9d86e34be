/**
 * ConvNeXt (Liu et al. 2022) as transformers' `ConvNextModel`: depthwise 7 × 7 convolutions between pointwise
 * layers. The pooled output is the layer norm of the mean of the last feature map. B batch, C channels; NHWC inside.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import {
  activationName,
  BACKBONE_KEYS,
  configSchema,
  epsilon,
  noEffect,
  parseConfigWith,
  rate,
  requireConfig,
  size,
} from '../config/schema.js';
import {
  activation,
  depthwiseConv2d,
  dropPath,
  dropPathRates,
  patchConv2d,
  toChannelsFirst,
  toChannelsLast,
} from '../ops/index.js';
import type { ForwardContext, TensorSpec, TowerDefinition, VisionInputs, Weights } from '../types.js';
import {
  layerNormLayer,
  layerNormSpecs,
  linearLayer,
  linearSpecs,
  param,
  paramSpec,
} from '../weights/params.js';
import { checkPixels, pair } from './patches.js';

/** Of every layer norm but the last, whatever layer_norm_eps says. */
const INNER_EPSILON = 1e-6;

const schema = configSchema({
  ...BACKBONE_KEYS,
  num_channels: size().default(3),
  patch_size: size().default(4),
  num_stages: size().optional(),
  hidden_sizes: z.array(size()).min(1).nullish(),
  depths: z.array(size()).min(1).nullish(),
  hidden_act: activationName().default('gelu'),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(1e-12),
  layer_scale_init_value: z.number().default(1e-6),
  drop_path_rate: rate().default(0),
  // transformers' dual encoder wants the width of the pooled features under this name
  hidden_size: noEffect(),
  // the architecture takes any size; preprocessing reads it
  image_size: z.union([size(), z.tuple([size(), size()])]).default(224),
});

type Config = Omit<z.output<typeof schema>, 'hidden_sizes' | 'depths'> & {
  hidden_sizes: number[];
  depths: number[];
};

function parseConfig(json: unknown): Config {
  const parsed = parseConfigWith(schema, 'convnext', json);
  const config = {
    ...parsed,
    hidden_sizes: parsed.hidden_sizes ?? [96, 192, 384, 768],
    depths: parsed.depths ?? [3, 3, 9, 3],
  };
  const { num_stages, hidden_sizes, depths } = config;
  const stages = num_stages ?? 4;
  requireConfig(
    hidden_sizes.length === stages && depths.length === stages,
    'convnext',
    'num_stages entries (4 by default) in hidden_sizes and depths',
    { num_stages, hidden_sizes, depths },
  );
  return config;
}

function tensorSpecs(config: Config): TensorSpec[] {
  const init = { kind: 'normal', std: config.initializer_range } as const;
  const { hidden_sizes, patch_size: p, layer_scale_init_value } = config;
  const conv = (name: string, shape: [number, number, number, number]) => [
    paramSpec(`${name}.weight`, shape, init),
    paramSpec(`${name}.bias`, [shape[0]], { kind: 'zeros' }),
  ];
  const specs = [
    ...conv('embeddings.patch_embeddings', [hidden_sizes[0]!, config.num_channels, p, p]),
    ...layerNormSpecs('embeddings.layernorm', hidden_sizes[0]!),
  ];
  config.depths.forEach((depth, stage) => {
    const C = hidden_sizes[stage]!;
    if (stage > 0) {
      const before = hidden_sizes[stage - 1]!;
      specs.push(
        ...layerNormSpecs(`encoder.stages.${stage}.downsampling_layer.0`, before),
        ...conv(`encoder.stages.${stage}.downsampling_layer.1`, [C, before, 2, 2]),
      );
    }
    for (let i = 0; i < depth; i++) {
      const layer = `encoder.stages.${stage}.layers.${i}`;
      specs.push(
        ...conv(`${layer}.dwconv`, [C, 1, 7, 7]),
        ...layerNormSpecs(`${layer}.layernorm`, C),
        ...linearSpecs(`${layer}.pwconv1`, 4 * C, C, init),
        ...linearSpecs(`${layer}.pwconv2`, C, 4 * C, init),
      );
      if (layer_scale_init_value > 0) {
        const scale = { kind: 'constant', value: layer_scale_init_value } as const;
        specs.push(paramSpec(`${layer}.layer_scale_parameter`, [C], scale));
      }
    }
  });
  return [...specs, ...layerNormSpecs('layernorm', outputSize(config))];
}

function outputSize(config: Config): number {
  return config.hidden_sizes.at(-1)!;
}

/** One residual layer: x [B, h, w, C] → [B, h, w, C]. */
function convNextLayer(
  weights: Weights,
  name: string,
  config: Config,
  x: tf.Tensor,
  dropRate: number,
  ctx: ForwardContext,
): tf.Tensor {
  const options = { stride: 1, padding: 'same' } as const;
  const spatial = tf.add(
    depthwiseConv2d(x, param(weights, `${name}.dwconv.weight`), options),
    param(weights, `${name}.dwconv.bias`),
  );
  const normed = layerNormLayer(weights, `${name}.layernorm`, spatial, INNER_EPSILON);
  const inner = activation(config.hidden_act)(linearLayer(weights, `${name}.pwconv1`, normed));
  const outer = linearLayer(weights, `${name}.pwconv2`, inner);
  const scale = weights[`${name}.layer_scale_parameter`];
  return tf.add(x, dropPath(scale === undefined ? outer : tf.mul(outer, scale), dropRate, ctx));
}

function forward(weights: Weights, config: Config, { pixel_values }: VisionInputs, ctx: ForwardContext) {
  checkPixels(pixel_values, config.num_channels);
  const patch = (name: string, x: tf.Tensor) =>
    patchConv2d(x, param(weights, `${name}.weight`), param(weights, `${name}.bias`));
  const patches = patch('embeddings.patch_embeddings', toChannelsLast(pixel_values));
  let x = layerNormLayer(weights, 'embeddings.layernorm', patches, INNER_EPSILON);
  const total = config.depths.reduce((sum, depth) => sum + depth, 0);
  const rates = dropPathRates(config.drop_path_rate, total);
  config.depths.forEach((depth, stage) => {
    const name = `encoder.stages.${stage}`;
    if (stage > 0) {
      const normed = layerNormLayer(weights, `${name}.downsampling_layer.0`, x, INNER_EPSILON);
      x = patch(`${name}.downsampling_layer.1`, normed);
    }
    for (let i = 0; i < depth; i++)
      x = convNextLayer(weights, `${name}.layers.${i}`, config, x, rates.shift()!, ctx);
  });
  const pooler_output = layerNormLayer(weights, 'layernorm', tf.mean(x, [1, 2]), config.layer_norm_eps);
  return { last_hidden_state: toChannelsFirst(x), pooler_output };
}

export const convnext: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['convnext'],
  baseModelPrefix: 'convnext',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize,
  imageSize: (config) => pair(config.image_size),
};
