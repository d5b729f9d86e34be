/**
 * Integers that depend on the sizes of dynamic axes, as multilinear polynomials: the sum over subsets S of the axes of
 * coefficient(S) · Π sizes in S. Shapes of traced graphs are of this kind (B, B·T, T + 1, …).
 */

/** Coefficient for each subset of axes; bit k of the index stands for axis k. */
export type Polynomial = readonly number[];

/**
 * The polynomial through the values at all corners of a box.
 * @param corners value at each corner; bit k of the index says whether axis k has its high size
 * @param low low sizes of the axes @param high high sizes
 */
export function interpolate(
  corners: readonly number[],
  low: readonly number[],
  high: readonly number[],
): Polynomial {
  const coefficients = [...corners];
  low.forEach((lo, axis) => {
    const bit = 1 << axis;
    for (let subset = 0; subset < coefficients.length; subset++) {
      if ((subset & bit) === 0) continue;
      const slope = (coefficients[subset]! - coefficients[subset ^ bit]!) / (high[axis]! - lo);
      coefficients[subset ^ bit]! -= slope * lo;
      coefficients[subset] = slope;
    }
  });
  return coefficients;
}

export const isConstant = (p: Polynomial): boolean => p.slice(1).every((c) => c === 0);

/** 'batch', '4*batch*sequence + 1', … */
export function describe(p: Polynomial, axes: readonly string[]): string {
  const terms = p.flatMap((c, subset) => {
    if (c === 0) return [];
    const factors = axes.filter((_, k) => subset & (1 << k));
    if (factors.length === 0) return [String(c)];
    return [(c === 1 ? factors : [String(c), ...factors]).join('*')];
  });
  return terms.length === 0 ? '0' : terms.reverse().join(' + ');
}
