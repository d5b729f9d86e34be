/** The list of all kernels of the backend. */
import { binaryKernels } from './binary.js';
import { convKernels } from './conv.js';
import type { KernelDefinition } from './define.js';
import { gatherKernels } from './gather.js';
import { matMulKernels } from './matmul.js';
import { poolKernels } from './pool.js';
import { reduceKernels } from './reduce.js';
import { transformKernels } from './transform.js';
import { unaryKernels } from './unary.js';

export const allKernels: readonly KernelDefinition[] = [
  ...unaryKernels,
  ...binaryKernels,
  ...reduceKernels,
  ...matMulKernels,
  ...transformKernels,
  ...gatherKernels,
  ...convKernels,
  ...poolKernels,
];
