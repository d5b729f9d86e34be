/**
 * Runs a chain of ops over blocks of rows instead of over whole tensors. Chains of elementwise ops are memory-bound:
 * each op reads and writes tensors of megabytes. In blocks that fit the second-level cache only the first read and
 * the last write go to memory. ONNX's Scan does the loop; blocks of its inputs and outputs are views, not copies.
 */
import { reshape } from './layout.js';
import { reduce } from './reductions.js';
import { node, placeholder, sizeOf, type Value } from './value.js';

/**
 * Bytes of one block of the widest tensor. A chain keeps a handful of them alive, shared by the caches of all cores;
 * with much smaller blocks the barrier after each op dominates.
 */
const BLOCK_BYTES = 1024 * 1024;
/** For smaller tensors the loop costs more than it saves. */
const MIN_BYTES = 4 * 1024 * 1024;

export interface RowResults {
  /** [rows, …] tensors, one row out for one row in. */
  rows: Value[];
  /** Sums over the rows, [D]. */
  sums?: Value[];
}

/**
 * @param rows tensors [N, D…] that are split along the first axis
 * @param shared tensors that every block reads whole
 * @param body records the chain for a block of rows; it must not depend on the number of rows
 * @param loops false: one block, whatever the size
 */
export function overRows(
  rows: readonly Value[],
  shared: readonly Value[],
  body: (rows: readonly Value[], shared: readonly Value[]) => RowResults,
  loops: boolean,
): Required<RowResults> {
  const N = rows[0]!.shape[0]!;
  const block = blockRows(N, Math.max(...rows.map((v) => (4 * sizeOf(v.shape)) / N)));
  if (!loops || block === N) return { sums: [], ...body(rows, shared) };

  const count = N / block;
  const inner = (v: Value, i: number): Value => placeholder(`row${i}`, v.type, [block, ...v.shape.slice(1)]);
  const blocks = rows.map(inner);
  const constants = shared.map((v, i) => placeholder(`shared${i}`, v.type, v.shape));
  const results = body(blocks, constants);
  const { sums = [] } = results;
  const outputs = [...results.rows, ...sums];
  const scanned = node(
    'Scan',
    [...shared, ...rows.map((v) => reshape(v, [count, block, ...v.shape.slice(1)]))],
    {
      body: { body: { inputs: [...constants, ...blocks], outputs: [...constants, ...outputs] } },
      num_scan_inputs: rows.length,
    },
    [...shared, ...outputs.map((v) => ({ type: v.type, shape: [count, ...v.shape] }))],
  ).slice(shared.length);
  return {
    rows: results.rows.map((v, i) => reshape(scanned[i]!, [N, ...v.shape.slice(1)])),
    sums: sums.map((_, i) => reduce('ReduceSum', scanned[results.rows.length + i]!, [0])),
  };
}

/** The largest divisor of N whose blocks stay within the limit; N itself when looping would not pay. */
function blockRows(N: number, rowBytes: number): number {
  if (N * rowBytes < MIN_BYTES) return N;
  const limit = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
  for (let rows = limit; rows * 8 > limit; rows--) if (N % rows === 0) return rows;
  return N;
}
