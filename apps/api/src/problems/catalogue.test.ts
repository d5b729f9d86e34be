import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from './catalogue.js';

describe('docs/api.md', () => {
  it('lists every problem code with its status and title, and no other', () => {
    const page = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8');
    const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
    const listed = rows
      .filter(([, status]) => /^\d{3}$/.test(status ?? ''))
      .map(([, status, code, title]) => [code?.replaceAll('`', ''), { status: Number(status), title }]);
    expect(Object.fromEntries(listed)).toEqual(PROBLEMS);
  });
});
