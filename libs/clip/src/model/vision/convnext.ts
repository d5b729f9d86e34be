/**
 * ConvNeXt (Liu et al. 2022) as transformers' `ConvNextModel`: depthwise 7 × 7 convolutions between pointwise
 * layers. The pooled output is the layer norm of the mean of the last feature map. B batch, C channels; NHWC inside.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { checkpointed } from '../blocks/gradient-checkpointing.js';
import * as field from '../config/schema.js';
import {
  constant,
  depthwiseConv,
  layer,
  layerNorm,
  linear,
  normal,
  parameter,
  patchConv,
  type Layer,
  type Unary,
} from '../layers/index.js';
import { activation, dropPath, dropPathRates, toChannelsFirst, toChannelsLast } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import type { ForwardContext } from '../context.js';
import type { Initializer } from '../types.js';
import { checkPixels } from './patches.js';

/** Of every layer norm but the last, whatever layer_norm_eps says. */
const INNER_EPSILON = 1e-6;
/** Side of the depthwise kernels. */
const KERNEL = 7;

const schema = field.configSchema({
  ...field.BACKBONE_KEYS,
  num_channels: field.size().default(3),
  patch_size: field.size().default(4),
  num_stages: field.size().default(4),
  hidden_sizes: z.array(field.size()).min(1).nullish(),
  depths: z.array(field.size()).min(1).nullish(),
  hidden_act: field.activationName().default('gelu'),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: field.epsilon().default(1e-12),
  layer_scale_init_value: z.number().default(1e-6),
  drop_path_rate: field.rate().default(0),
  // transformers' dual encoder wants the width of the pooled features under this name
  hidden_size: field.noEffect(),
  // the architecture takes any size; preprocessing reads it
  image_size: field.sides(224),
});

type Config = Omit<z.output<typeof schema>, 'hidden_sizes' | 'depths'> & {
  hidden_sizes: number[];
  depths: number[];
};

function parseConfig(json: unknown): Config {
  const parsed = field.parseConfigWith(schema, 'convnext', json);
  const { num_stages, hidden_sizes: widths, depths: counts } = parsed;
  const hidden_sizes = widths ?? [96, 192, 384, 768];
  const depths = counts ?? [3, 3, 9, 3];
  const agree = hidden_sizes.length === num_stages && depths.length === num_stages;
  const expected = 'num_stages entries (4 by default) in hidden_sizes and depths';
  field.requireConfig(agree, 'convnext', expected, { num_stages, hidden_sizes, depths });
  return { ...parsed, hidden_sizes, depths };
}

/** One residual layer: x [B, h, w, C] → [B, h, w, C]. */
function convNextLayer(
  config: Config,
  C: number,
  dropRate: number,
): Layer<(x: tf.Tensor, ctx: ForwardContext) => tf.Tensor> {
  const { initializer_range, layer_scale_init_value: scale, hidden_act } = config;
  const init = normal(initializer_range);
  return layer(
    {
      dwconv: depthwiseConv(C, KERNEL, init),
      layernorm: layerNorm(C, INNER_EPSILON),
      pwconv1: linear(C, 4 * C, init),
      pwconv2: linear(4 * C, C, init),
      layer_scale_parameter: scale > 0 ? parameter([C], constant(scale)) : undefined,
    },
    ({ dwconv, layernorm, pwconv1, pwconv2, layer_scale_parameter }) =>
      (x, ctx) => {
        const inner = activation(hidden_act)(pwconv1(layernorm(dwconv(x)))); // [B, h, w, 4C]
        const outer = pwconv2(inner);
        const scaled = layer_scale_parameter === undefined ? outer : tf.mul(outer, layer_scale_parameter);
        return tf.add(x, dropPath(scaled, dropRate, ctx));
      },
  );
}

function convNextTower(config: Config): Layer<Forward<VisionInputs>> {
  const { num_channels, patch_size, hidden_sizes, depths } = config;
  const init = normal(config.initializer_range);
  const rates = dropPathRates(config.drop_path_rate, depths);
  const stages = hidden_sizes.map((C, stage) => {
    const before = hidden_sizes[stage - 1];
    const downsampling = before === undefined ? undefined : downsample(before, C, init);
    return {
      downsampling_layer: downsampling,
      layers: rates[stage]!.map((rate) => checkpointed(convNextLayer(config, C, rate))),
    };
  });
  return layer(
    {
      embeddings: {
        patch_embeddings: patchConv(num_channels, hidden_sizes[0]!, patch_size, init),
        layernorm: layerNorm(hidden_sizes[0]!, INNER_EPSILON),
      },
      encoder: { stages },
      layernorm: layerNorm(outputSize(config), config.layer_norm_eps),
    },
    ({ embeddings, encoder, layernorm }) =>
      ({ pixel_values }, ctx) => {
        checkPixels(pixel_values, num_channels);
        let x = embeddings.layernorm(embeddings.patch_embeddings(toChannelsLast(pixel_values)));
        for (const { downsampling_layer, layers } of encoder.stages) {
          x = layers.reduce((input, layer) => layer(input, ctx), downsampling_layer?.(x) ?? x);
        }
        return { last_hidden_state: toChannelsFirst(x), pooler_output: layernorm(tf.mean(x, [1, 2])) };
      },
  );
}

/** x [B, h, w, C] → [B, h / 2, w / 2, O] */
function downsample(C: number, O: number, init: Initializer): Layer<Unary> {
  return layer(
    [layerNorm(C, INNER_EPSILON), patchConv(C, O, 2, init)],
    ([norm, conv]) =>
      (x) =>
        conv(norm(x)),
  );
}

function outputSize(config: Config): number {
  return config.hidden_sizes.at(-1)!;
}

export const convnext: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['convnext'],
  baseModelPrefix: 'convnext',
  parseConfig,
  layer: convNextTower,
  outputSize,
  imageSize: (config) => config.image_size,
};
