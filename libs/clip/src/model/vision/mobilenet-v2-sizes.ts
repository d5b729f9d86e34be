/**
 * Channels, strides and dilations of MobileNetV2 (Sandler et al. 2018, table 2), scaled as transformers and
 * TensorFlow's slim library scale them.
 */

/** At depth multiplier 1: the stem's inner width, the outputs of the stem and of each block, the last convolution's. */
const STEM = 32;
const BLOCKS = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
const LAST = 1280;
const STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

export interface ScalingConfig {
  readonly depth_multiplier: number;
  readonly depth_divisible_by: number;
  readonly min_depth: number;
  readonly expand_ratio: number;
  readonly finegrained_output: boolean;
}

export function stemWidth(config: ScalingConfig): number {
  return scaled(STEM, config);
}

/** Of the stem's output, then of each block's. */
export function blockWidths(config: ScalingConfig): number[] {
  return BLOCKS.map((channels) => scaled(channels, config));
}

/**
 * Of the last convolution's output, which a depth multiplier below 1 does not narrow when finegrained_output is set.
 */
export function lastWidth(config: ScalingConfig): number {
  return config.finegrained_output && config.depth_multiplier < 1 ? LAST : scaled(LAST, config);
}

/** Inside a block whose input is `channels` wide. */
export function expandedWidth(channels: number, config: ScalingConfig): number {
  return divisible(roundHalfEven(channels * config.expand_ratio), config);
}

/** Of each block. Once the feature map is as small as output_stride allows, kernels dilate instead of striding. */
export function stridesAndDilations(outputStride: number): { stride: number; dilation: number }[] {
  let reached = 2; // stride of the feature map so far
  let dilation = 1;
  return STRIDES.map((stride) => {
    if (reached !== outputStride) {
      reached *= stride;
      return { stride, dilation: 1 };
    }
    const dilated = { stride: 1, dilation };
    dilation *= stride;
    return dilated;
  });
}

function scaled(channels: number, config: ScalingConfig): number {
  return divisible(roundHalfEven(channels * config.depth_multiplier), config);
}

/** A multiple of the divisor near `value`, never more than 10 % below it. */
function divisible(value: number, { depth_divisible_by: divisor, min_depth }: ScalingConfig): number {
  const near = Math.max(min_depth, Math.floor(Math.trunc(value + divisor / 2) / divisor) * divisor);
  return near < 0.9 * value ? near + divisor : near;
}

/** Python's round: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
