/** One query out of several texts: what images should show, each with a weight, and what they should not. Pure. */

/** What images should not show counts for half: whole, it would cancel what most texts have in common. */
const UNWANTED_SHARE = 0.5;

/**
 * The direction of (weighted mean of `wanted`) − ½ · (mean of `unwanted`).
 * @param wanted vectors [E] of length 1, at least one, with weights above 0
 * @param unwanted vectors [E] of length 1
 * @returns [E], of length 1; undefined when nothing is left of it
 */
export function combineVectors(
  wanted: readonly { vector: Float32Array; weight: number }[],
  unwanted: readonly Float32Array[],
): Float32Array | undefined {
  const [first] = wanted;
  if (wanted.length === 1 && unwanted.length === 0) return first!.vector;
  const sum = new Float64Array(first!.vector.length);
  const add = (vector: Float32Array, share: number) => {
    for (let e = 0; e < sum.length; e++) sum[e]! += share * vector[e]!;
  };
  const weights = wanted.reduce((total, { weight }) => total + weight, 0);
  for (const { vector, weight } of wanted) add(vector, weight / weights);
  for (const vector of unwanted) add(vector, -UNWANTED_SHARE / unwanted.length);
  const norm = Math.hypot(...sum);
  return norm < 1e-6 ? undefined : Float32Array.from(sum, (value) => value / norm);
}
