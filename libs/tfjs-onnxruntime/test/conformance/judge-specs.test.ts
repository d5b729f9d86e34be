import { describe, expect, it } from 'vitest';
import { judgeSpecs, type SpecResult } from './judge-specs.js';
import { formatFailures } from './report.js';

const result = (spec: string, message?: string): SpecResult => ({
  spec,
  passed: message === undefined,
  errors: message === undefined ? [] : [{ message, stack: '' }],
  milliseconds: 1,
});

describe('judgeSpecs', () => {
  it('counts a listed failure as skipped and an unlisted one as failed', () => {
    const verdict = judgeSpecs(
      [result('add works'), result('sub works', 'Arrays differ'), result('erf works', 'off')],
      [{ spec: 'erf works', reason: 'approximation' }],
    );
    expect(verdict.passed).toBe(1);
    expect(verdict.expected).toBe(1);
    expect(verdict.failed.map(({ spec }) => spec)).toEqual(['sub works']);
    expect(verdict.stale).toEqual([]);
  });

  it('reports a listed spec that passes or does not exist as stale', () => {
    const list = [
      { spec: 'erf works', reason: 'approximation' },
      { spec: 'gone', reason: 'renamed' },
    ];
    expect(judgeSpecs([result('erf works')], list).stale).toEqual(['erf works', 'gone']);
  });

  it('matches specs that share a name by their number', () => {
    const twice = [result('add works', 'off'), result('add works', 'off')];
    const verdict = judgeSpecs(twice, [{ spec: 'add works', reason: 'dtype' }]);
    expect(verdict.expected).toBe(1);
    expect(verdict.failed).toHaveLength(1);
  });
});

describe('formatFailures', () => {
  it('groups failures that differ only in their numbers', () => {
    const text = formatFailures(
      [
        result('add a', 'Arrays differ: actual[0] = 1.5'),
        result('sub b', 'Arrays differ: actual[3] = -2e-7'),
      ],
      { list: false },
    );
    expect(text).toContain('2  Arrays differ: actual[#] = #');
    expect(text).toContain('add 1, sub 1');
  });
});
