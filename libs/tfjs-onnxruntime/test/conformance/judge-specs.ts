/** Judges a run: which specs passed, which failed, which failed as the list says, which list entries are stale. */
import type { ExpectedFailure } from './expected-failures.js';

export interface SpecResult {
  spec: string;
  passed: boolean;
  errors: { message: string; stack: string }[];
  milliseconds: number;
}

export interface Verdict {
  passed: number;
  failed: SpecResult[];
  /** Specs that failed and are listed. */
  expected: number;
  /** Listed specs that passed, or that no longer exist. */
  stale: string[];
}

/** Compares `results` with the list of expected failures. Names that occur twice in the suite are matched by count. */
export function judgeSpecs(results: readonly SpecResult[], list: readonly ExpectedFailure[]): Verdict {
  const remaining = new Map<string, number>();
  for (const { spec } of list) remaining.set(spec, (remaining.get(spec) ?? 0) + 1);

  const failed: SpecResult[] = [];
  let passed = 0;
  let expected = 0;
  for (const result of results) {
    const left = remaining.get(result.spec) ?? 0;
    if (result.passed) passed++;
    else if (left > 0) {
      remaining.set(result.spec, left - 1);
      expected++;
    } else failed.push(result);
  }
  const stale = [...remaining].flatMap(([spec, left]) => Array.from({ length: left }, () => spec));
  return { passed, failed, expected, stale };
}
