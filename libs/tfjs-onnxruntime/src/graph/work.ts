/**
 * How much work a graph does, by kind, to estimate its time: floating-point operations of products and of convolutions
 * (two for each multiply-add), and bytes that everything reads and writes.
 */
import { bytesOf } from './memory.js';
import { sizeOf, type GraphNode } from './value.js';

export interface Work {
  productFlops: number;
  convolutionFlops: number;
  bytes: number;
}

/** Ops that touch no memory. */
const VIEWS: ReadonlySet<string> = new Set(['Reshape', 'Identity', 'Squeeze', 'Unsqueeze']);

export function workOf(nodes: readonly GraphNode[]): Work {
  const work = { productFlops: 0, convolutionFlops: 0, bytes: 0 };
  for (const node of nodes) {
    if (VIEWS.has(node.op)) continue;
    if (/Gemm|MatMul/.test(node.op)) work.productFlops += productFlops(node);
    // The native addon's depthwise convolutions take the time of what they read and write.
    else if (/Conv/.test(node.op) && node.domain !== 'ort.native')
      work.convolutionFlops += convolutionFlops(node);
    for (const value of [...node.inputs, ...node.outputs]) if (value) work.bytes += bytesOf(value);
  }
  return work;
}

/** What one thread does in some 15 µs. */
const SHORT: Work = { productFlops: 1e6, convolutionFlops: 2e5, bytes: 1 << 18 };

/**
 * The option of a session for a graph of which each op is over on one thread before others had taken their share: no
 * thread pool. Its threads take longer to start than such a graph takes to run, and spin while they wait.
 */
export const threadsFor = (nodes: readonly GraphNode[]): { intraOpNumThreads?: number } =>
  nodes.every(isShort) ? { intraOpNumThreads: 1 } : {};

function isShort(node: GraphNode): boolean {
  const { productFlops, convolutionFlops, bytes } = workOf([node]);
  return (
    productFlops < SHORT.productFlops && convolutionFlops < SHORT.convolutionFlops && bytes < SHORT.bytes
  );
}

/** [.., M, K] · [.., K, N], whatever is transposed: |A| = M·K and |out| = M·N. */
function productFlops({ inputs, outputs }: GraphNode): number {
  const [a = [], b = []] = inputs.map((value) => value?.shape ?? []);
  const out = outputs[0]!.shape;
  const matrix = (shape: readonly number[]) => sizeOf(shape.slice(-2));
  const batch = sizeOf(out) / matrix(out);
  return 2 * batch * Math.sqrt(matrix(a) * matrix(b) * matrix(out));
}

/** Each output is a sum over a filter; of a transposed convolution, each input is spread over one. */
function convolutionFlops({ op, inputs, outputs }: GraphNode): number {
  const filter = inputs[1]!.shape;
  const positions = op === 'ConvTranspose' ? inputs[0]!.shape : outputs[0]!.shape;
  return 2 * sizeOf(positions) * sizeOf(filter.slice(1));
}
