/** Sums up a profile of a step: all time, time in matrix products and convolutions, and their floating-point work. */

/** '[2,3] [3,4]' → [[2, 3], [3, 4]] @param {string} text */
const shapesOf = (text) =>
  [...text.matchAll(/\[([\d,]*)\]/g)].map(([, numbers = '']) =>
    numbers.split(',').filter(Boolean).map(Number),
  );
const sizeOf = (/** @type {number[]} */ shape) => shape.reduce((n, d) => n * d, 1);

/** @param {{ op: string, shapes: string, count: number, ms: number }[]} entries */
export function gemmShare(entries) {
  let totalMs = 0;
  let gemmMs = 0;
  let gemmFlops = 0;
  for (const { op, shapes, count, ms } of entries) {
    totalMs += ms;
    if (!/Gemm|MatMul|^Conv|^FusedConv/.test(op)) continue;
    const [inputs = '', outputs = ''] = shapes.split('→');
    const [a = [], b = []] = shapesOf(inputs);
    const [output = []] = shapesOf(outputs);
    gemmMs += ms;
    gemmFlops += count * flopsOf(op, a, b, output);
  }
  return { totalMs, gemmMs, gemmFlops };
}

/** Two for each multiply-add. @param {string} op @param {number[]} a @param {number[]} b @param {number[]} output */
function flopsOf(op, a, b, output) {
  if (op.includes('Conv')) return 2 * sizeOf(output) * sizeOf(b.slice(1));
  // A constant right side is packed in advance and not among the inputs: K is then what is left of A's rows.
  if (b.length < 2) return 2 * sizeOf(a) * (output.at(-1) ?? 1);
  // |A| = M·K, |B| = K·N and |C| = M·N of one product give M·K·N, whatever is transposed.
  const matrix = (/** @type {number[]} */ shape) => sizeOf(shape.slice(-2));
  const batch = sizeOf(output) / matrix(output);
  return 2 * batch * Math.sqrt(matrix(a) * matrix(b) * matrix(output));
}
