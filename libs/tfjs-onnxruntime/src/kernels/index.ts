/** The list of all kernels of the backend. */
import { binaryKernels } from './binary.js';
import { complexKernels, withComplex } from './complex.js';
import { convKernels } from './conv.js';
import { conv3dKernels } from './conv3d.js';
import type { KernelDefinition } from './define.js';
import { dilationKernels } from './dilation.js';
import { gatherKernels } from './gather.js';
import { imageKernels } from './image.js';
import { lrnKernels } from './lrn.js';
import { matMulKernels } from './matmul.js';
import { poolKernels } from './pool.js';
import { raggedKernels } from './ragged.js';
import { reduceKernels } from './reduce.js';
import { resizeKernels } from './resize.js';
import { searchKernels } from './search.js';
import { sparseKernels } from './sparse.js';
import { stringKernels, withStrings } from './string.js';
import { transformKernels } from './transform.js';
import { unaryKernels } from './unary.js';

const numberKernels: readonly KernelDefinition[] = [
  ...unaryKernels,
  ...binaryKernels,
  ...reduceKernels,
  ...matMulKernels,
  ...transformKernels,
  ...gatherKernels,
  ...convKernels,
  ...conv3dKernels,
  ...poolKernels,
  ...dilationKernels,
  ...resizeKernels,
  ...imageKernels,
  ...lrnKernels,
  ...searchKernels,
  ...sparseKernels,
  ...raggedKernels,
];

export const allKernels: readonly KernelDefinition[] = [
  ...numberKernels.map((kernel) => withStrings(withComplex(kernel))),
  ...complexKernels,
  ...stringKernels,
];
