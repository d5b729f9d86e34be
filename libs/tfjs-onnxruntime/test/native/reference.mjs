/** The ops of the native addon in double precision, one number after the other. Letters as in the addon's own files. */

/** Abramowitz & Stegun 7.1.26 is not precise enough: the series where it converges soon, a continued fraction beyond. @param {number} x */
function erf(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  let [term, sum] = [a, a];
  for (let n = 1; n < 200; n++) {
    term *= (-a * a) / n;
    sum += term / (2 * n + 1);
  }
  return Math.sign(x) * ((2 / Math.sqrt(Math.PI)) * sum);
}
const cumulative = (/** @type {number} */ z) => (1 + erf(z / Math.SQRT2)) / 2;
const density = (/** @type {number} */ z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
const sigmoid = (/** @type {number} */ z) => 1 / (1 + Math.exp(-z));

/** @type {Record<string, { value: (z: number) => number, slope: (z: number) => number }>} */
const ACTIVATIONS = {
  BiasGelu: { value: (z) => z * cumulative(z), slope: (z) => cumulative(z) + z * density(z) },
  BiasQuickGelu: {
    value: (z) => z * sigmoid(1.702 * z),
    slope: (z) => sigmoid(1.702 * z) * (1 + 1.702 * z * (1 - sigmoid(1.702 * z))),
  },
};

/** @param {ArrayLike<number>} array @param {number} i */
const at = (array, i) => /** @type {number} */ (array[i]);

/** Sums over rows of D. @param {Float64Array} values @param {number} D */
function columnSums(values, D) {
  const sums = new Float64Array(D);
  values.forEach((x, i) => (sums[i % D] = at(sums, i % D) + x));
  return sums;
}

/** @param {string} op @param {Float32Array[]} inputs */
export function activation(op, [x, bias]) {
  const { value } = /** @type {typeof ACTIVATIONS[string]} */ (ACTIVATIONS[op]);
  return [Float64Array.from(x ?? [], (each, i) => value(each + at(bias ?? [], i % (bias?.length ?? 1))))];
}

/** @param {string} op @param {Float32Array[]} inputs */
export function activationGradient(
  op,
  [dy = new Float32Array(), x = new Float32Array(), bias = new Float32Array()],
) {
  const { slope } = /** @type {typeof ACTIVATIONS[string]} */ (ACTIVATIONS[op]);
  const dx = Float64Array.from(x, (each, i) => at(dy, i) * slope(each + at(bias, i % bias.length)));
  return [dx, columnSums(dx, bias.length)];
}

/** @param {Float32Array[]} inputs @param {number} highest */
export const rectify = ([x = new Float32Array(), bias = new Float32Array()], highest) => [
  Float64Array.from(x, (each, i) => Math.min(Math.max(each + at(bias, i % bias.length), 0), highest)),
];

/** @param {Float32Array[]} inputs @param {number} D */
export function softmaxGradient([y = new Float32Array(), dy = new Float32Array()], D) {
  const sums = Float64Array.from({ length: D === 0 ? 0 : y.length / D }, (_, n) => {
    let sum = 0;
    for (let d = 0; d < D; d++) sum += at(y, n * D + d) * at(dy, n * D + d);
    return sum;
  });
  return [Float64Array.from(y, (each, i) => each * (at(dy, i) - at(sums, Math.floor(i / D))))];
}

/** @param {Float32Array[]} inputs @param {number} D @param {number} highest */
export function rectifierGradient([dy = new Float32Array(), y = new Float32Array()], D, highest) {
  const dx = Float64Array.from(dy, (each, i) => (at(y, i) > 0 && at(y, i) < highest ? each : 0));
  return [dx, columnSums(dx, D)];
}

/** @param {Float32Array[]} inputs @param {number} N @param {number} D */
export function layerNormGradient(inputs, N, D) {
  const [dy, x, gamma, mean, inverse] =
    /** @type {[Float32Array, Float32Array, Float32Array, Float32Array, Float32Array]} */ (inputs);
  const dx = new Float64Array(N * D);
  const normalised = new Float64Array(N * D);
  for (let n = 0; n < N; n++) {
    let [sum, along] = [0, 0];
    for (let d = n * D; d < (n + 1) * D; d++) {
      normalised[d] = (at(x, d) - at(mean, n)) * at(inverse, n);
      const g = at(dy, d) * at(gamma, d % D);
      sum += g;
      along += g * at(normalised, d);
    }
    for (let d = n * D; d < (n + 1) * D; d++)
      dx[d] = (at(dy, d) * at(gamma, d % D) - sum / D - (at(normalised, d) * along) / D) * at(inverse, n);
  }
  return [
    dx,
    columnSums(
      normalised.map((each, i) => each * at(dy, i)),
      D,
    ),
    columnSums(Float64Array.from(dy), D),
  ];
}

/** @param {Float32Array[]} inputs @param {{ K: number, M: number, N: number }} shape @param {number} factor */
export function transposedProduct(
  [left = new Float32Array(), right = new Float32Array()],
  { K, M, N },
  factor,
) {
  const result = new Float64Array(M * N);
  for (let k = 0; k < K; k++)
    for (let m = 0; m < M; m++) {
      const l = factor * at(left, k * M + m);
      for (let n = 0; n < N; n++) result[m * N + n] = at(result, m * N + n) + l * at(right, k * N + n);
    }
  return [result];
}

/** @typedef {Record<'N' | 'H' | 'W' | 'C' | 'R' | 'S' | 'P' | 'Q' | 'stride' | 'dilation' | 'pad', number>} Geometry */

/** @param {string} op @param {Float32Array[]} operands @param {Geometry} geometry */
export function depthwise(
  op,
  [a = new Float32Array(), b = new Float32Array()],
  { N, H, W, C, R, S, P, Q, stride, dilation, pad },
) {
  const result = new Float64Array(
    op === 'DepthwiseConv' ? N * P * Q * C : op.endsWith('InputGradient') ? N * H * W * C : R * S * C,
  );
  const add = (/** @type {number} */ i, /** @type {number} */ value) => (result[i] = at(result, i) + value);
  for (let n = 0; n < N; n++)
    for (let p = 0; p < P; p++)
      for (let q = 0; q < Q; q++)
        for (let r = 0; r < R; r++)
          for (let s = 0; s < S; s++) {
            const [h, w] = [p * stride + r * dilation - pad, q * stride + s * dilation - pad];
            if (h < 0 || h >= H || w < 0 || w >= W) continue;
            for (let c = 0; c < C; c++) {
              const [x, y, f] = [
                ((n * H + h) * W + w) * C + c,
                ((n * P + p) * Q + q) * C + c,
                (r * S + s) * C + c,
              ];
              if (op === 'DepthwiseConv') add(y, at(a, x) * at(b, f));
              else if (op.endsWith('InputGradient')) add(x, at(a, y) * at(b, f));
              else add(f, at(a, x) * at(b, y));
            }
          }
  return [result];
}

/** @param {Float32Array[]} inputs */
export const sumOfSquares = (inputs) => [
  [inputs.reduce((sum, array) => array.reduce((total, x) => total + x * x, sum), 0)],
];
