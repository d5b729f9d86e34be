/** Kernels that move elements without looking at them: they serve complex numbers and strings as well. */
export const MOVING_KERNELS: readonly string[] = [
  'Reshape',
  'ExpandDims',
  'Identity',
  'Transpose',
  'Tile',
  'BroadcastTo',
  'Slice',
  'StridedSlice',
  'Reverse',
  'SplitV',
  'Unpack',
  'Concat',
  'Pack',
  'GatherV2',
  'GatherNd',
  'Select',
];
