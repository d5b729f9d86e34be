/** What a comparison is measured against: the least that must hold, and what is aimed for. */

/** @typedef {{ floor?: number, aim: number, atMost?: boolean }} Goal */

/** The other side's peak memory is the measure: less is better. */
const MEMORY = { floor: 1.2, aim: 1, atMost: true };

/** By shape, then by the name of the printed line. @type {Record<string, Record<string, Goal>>} */
const GOALS = {
  a: {
    ratio_torch: { floor: 1.2, aim: 1.4 },
    ratio_torch_fused: { floor: 1.1, aim: 1.3 },
    ratio_torch_compile: { aim: 1 },
    rss_ratio_torch: MEMORY,
    step_of_limit: { floor: 70, aim: 80 },
  },
  'a+': { ratio_torch: { floor: 0.95, aim: 1.1 } },
  b: { ratio_torch: { floor: 1.2, aim: 1.5 }, rss_ratio_torch: MEMORY },
  c: { ratio_torch: { floor: 1.2, aim: 1.5 }, rss_ratio_torch: MEMORY },
  d: { ratio_torch: { floor: 1.2, aim: 1.5 }, rss_ratio_torch: MEMORY },
};

/**
 * ' (floor 1.2: met, aim 1.4: missed)' for a line that has goals, otherwise ''.
 * @param {string} shape @param {string} line @param {number} value
 */
export function verdict(shape, line, value) {
  const goal = GOALS[shape]?.[line];
  if (goal === undefined) return '';
  const { floor, aim, atMost = false } = goal;
  const say = (/** @type {string} */ name, /** @type {number} */ bound) =>
    `${name} ${bound}: ${(atMost ? value <= bound : value >= bound) ? 'met' : 'missed'}`;
  return ` (${[...(floor === undefined ? [] : [say('floor', floor)]), say('aim', aim)].join(', ')})`;
}
