/** Fused kernels of training, and the gradients that TensorFlow.js needs to know. */
import type * as tf from '@tensorflow/tfjs-core';
import type { KernelDefinition } from '../kernels/define.js';
import { adamWKernels } from './adamw.js';
import { attentionGradientConfig, attentionKernels } from './attention.js';
import { dropoutGradientConfig, dropoutKernels } from './dropout.js';
import { geluGradientConfig, geluKernels } from './gelu.js';
import { layerNormGradientConfig, layerNormKernels } from './layer-norm.js';
import { rectifierGradientConfig, rectifierKernels } from './rectifier.js';
import { sumOfSquaresKernels } from './sum-of-squares.js';

export const fusedKernels: readonly KernelDefinition[] = [
  ...layerNormKernels,
  ...geluKernels,
  ...rectifierKernels,
  ...attentionKernels,
  ...dropoutKernels,
  ...sumOfSquaresKernels,
  ...adamWKernels,
];

export const fusedGradients: readonly tf.GradConfig[] = [
  layerNormGradientConfig,
  geluGradientConfig,
  rectifierGradientConfig,
  attentionGradientConfig,
  dropoutGradientConfig,
];
