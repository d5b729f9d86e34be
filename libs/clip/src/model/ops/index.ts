export { ACTIVATION_NAMES, activation, gelu, silu, type Activation } from './activations.js';
export { attention, causalMask, paddingMask } from './attention.js';
export { dropout, dropPath, dropPathRates } from './dropout.js';
export { embedding } from './embedding.js';
export { layerNorm } from './layer-norm.js';
export { linear } from './linear.js';
export { firstToken, lastToken, tokenAt } from './tokens.js';
export { inversePermutation, permuteTokens } from './permute.js';
export { conv2d, depthwiseConv2d, maxPool2d, patchConv2d, toChannelsFirst, toChannelsLast } from './conv.js';
