import { describe, expect, it } from 'vitest';
import { ensembleEmbeds, TEMPLATE_SETS } from './templates.js';

describe('template sets', () => {
  it('are 7 and 80 different templates with one place for the label each', () => {
    for (const [name, count] of [
      ['clip-7', 7],
      ['clip-80', 80],
    ] as const) {
      const set = TEMPLATE_SETS[name]!;
      expect([name, set.length, new Set(set).size]).toEqual([name, count, count]);
      expect(set.filter((template) => template.split('{}').length !== 2)).toEqual([]);
    }
    expect(TEMPLATE_SETS['clip-7']!.every((template) => TEMPLATE_SETS['clip-80']!.includes(template))).toBe(
      true,
    );
  });
});

describe('an ensemble', () => {
  const vectors = (...rows: number[][]) => rows.map((row) => Float32Array.from(row));

  it('is the direction of the mean over the templates, for each label', () => {
    const [a, b] = ensembleEmbeds([vectors([1, 0], [0, 1]), vectors([0, 1], [0, 1])]);
    expect([...a!, ...b!].map((value) => value.toFixed(4))).toEqual(['0.7071', '0.7071', '0.0000', '1.0000']);
  });

  it('of one template is what the template gives, and of none, or of opposites, an error', () => {
    const one = vectors([0.6, 0.8]);
    expect(ensembleEmbeds([one])).toEqual(one);
    expect(() => ensembleEmbeds([])).toThrow('there are no templates');
    expect(() => ensembleEmbeds([vectors([1, 0]), vectors([-1, 0])])).toThrow('cancel each other');
  });
});
