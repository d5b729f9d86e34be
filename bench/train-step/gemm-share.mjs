/** Sums up a profile of a step: all time, time in matrix products and convolutions, and their floating-point work. */

/** @param {string} text '[2,3] [3,4]' */
const shapesOf = (text) =>
  [...text.matchAll(/\[([\d,]*)\]/g)].map((m) => m[1].split(',').filter(Boolean).map(Number));
const sizeOf = (/** @type {number[]} */ shape) => shape.reduce((n, d) => n * d, 1);

/** @param {{ op: string, shapes: string, count: number, ms: number }[]} entries */
export function gemmShare(entries) {
  let [totalMs, gemmMs, gemmFlops] = [0, 0, 0];
  for (const { op, shapes, count, ms } of entries) {
    totalMs += ms;
    if (!/Gemm|MatMul|^Conv|^FusedConv/.test(op)) continue;
    const [inputs, outputs] = shapes.split('→').map(shapesOf);
    gemmMs += ms;
    gemmFlops += count * flopsOf(op, inputs, outputs[0]);
  }
  return { totalMs, gemmMs, gemmFlops };
}

/** Two for each multiply-add. @param {string} op @param {number[][]} inputs @param {number[]} output */
function flopsOf(op, inputs, output) {
  if (op.includes('Conv')) return 2 * sizeOf(output) * sizeOf(inputs[1].slice(1));
  const [a, b] = inputs;
  // |A| = M·K, |B| = K·N and |C| = M·N of one product give M·K·N, whatever is transposed.
  const matrix = (/** @type {number[]} */ shape) => sizeOf(shape.slice(-2));
  const batch = sizeOf(output) / matrix(output);
  return 2 * batch * Math.sqrt(matrix(a) * matrix(b) * matrix(output));
}
