/** Comparisons as lines `name: value unit`, and as the table of the engine's README. */
import { median } from '../shared/measure.mjs';
import { verdict } from './goals.mjs';
import { shapeNamed } from './shapes.mjs';

/** @typedef {import('./compare.mjs').Comparison} Comparison @typedef {import('./compare.mjs').Side} Side */

/** @param {Comparison} comparison @param {number} costliest entries of the profile that are printed */
export function printLines({ name, ours, others, profile, gemmLimit }, costliest) {
  const print = (/** @type {string} */ key, /** @type {string | number} */ value) =>
    console.log(`train_step.${name}.${key}: ${value}`);
  const printGoal = (/** @type {string} */ key, /** @type {number} */ value, digits = 3, unit = '') =>
    print(key, `${value.toFixed(digits)}${unit}${verdict(name, key, value)}`);
  const step = median(ours.ms);
  print('parameters', ours.parameters);
  for (const { label, ms, peakRssMb, failure } of [ours, ...others]) {
    if (failure !== undefined) {
      print(label, `not measured: ${failure}`);
      continue;
    }
    print(label, `${median(ms).toFixed(1)} ms`);
    print(`${label}.fastest`, `${Math.min(...ms).toFixed(1)} ms`);
    print(`${label}.throughput`, `${((1000 * shapeNamed(name).batch) / median(ms)).toFixed(1)} images/s`);
    print(`${label}.peak_rss`, `${peakRssMb} MB`);
  }
  for (const { label, ms, peakRssMb } of measured(others)) {
    printGoal(`ratio_${label}`, median(ms) / step);
    print(`ratio_${label}_fastest`, (Math.min(...ms) / Math.min(...ours.ms)).toFixed(3));
    printGoal(`rss_ratio_${label}`, ours.peakRssMb / peakRssMb, 2);
  }
  const { totalMs, gemmMs, gemmFlops } = profile;
  print('gemm_share', `${((100 * gemmMs) / totalMs).toFixed(1)} %`);
  print('gemm_rate', `${(gemmFlops / gemmMs / 1e6).toFixed(1)} GFLOP/s`);
  print('gemm_limit', `${gemmLimit.toFixed(1)} GFLOP/s`);
  printGoal('step_of_limit', (100 * gemmFlops) / step / 1e6 / gemmLimit, 1, ' %');
  for (const { op, kernel, shapes, count, ms } of profile.profile.slice(0, costliest)) {
    print('profile', `${ms.toFixed(1)} ms in ${count} ${op} of ${kernel} ${shapes}`);
  }
}

const measured = (/** @type {Side[]} */ sides) => sides.filter(({ failure }) => failure === undefined);

/** A row for each shape: milliseconds of a step, and for each peer its time and memory over ours. @param {Comparison[]} comparisons */
export function markdownTable(comparisons) {
  const peers = comparisons[0]?.others.map(({ label }) => label) ?? [];
  const rows = [
    ['shape', 'ms a step (fastest)', 'peak MB', ...peers.map((peer) => `time of ${peer} ÷ ours (fastest)`)],
    ['---', '---:', '---:', ...peers.map(() => '---:')],
    ...comparisons.map(({ name, ours, others }) => [
      name,
      `${median(ours.ms).toFixed(0)} (${Math.min(...ours.ms).toFixed(0)})`,
      String(ours.peakRssMb),
      ...others.map(({ ms, peakRssMb, failure }) =>
        failure === undefined
          ? `${(median(ms) / median(ours.ms)).toFixed(2)} (${(Math.min(...ms) / Math.min(...ours.ms)).toFixed(2)}), ${peakRssMb} MB`
          : 'not measured',
      ),
    ]),
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
