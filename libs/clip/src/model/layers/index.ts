export { assertBatchNormTrainable, batchNorm, type BatchNormOptions } from './batch-norm.js';
export { depthwiseConv, patchConv } from './conv.js';
export { embeddingTable, layerNorm, linear, queryKeyValue, type Linear, type Unary } from './dense.js';
export {
  constant,
  lecunNormal,
  normal,
  ONES,
  truncatedNormal,
  values,
  xavierUniform,
  ZEROS,
} from './initializers.js';
export {
  buffer,
  describedAs,
  integerBuffer,
  layer,
  named,
  optional,
  parameter,
  stack,
  untrained,
  type Bound,
  type Layer,
} from './layer.js';
