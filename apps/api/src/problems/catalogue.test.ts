import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from './catalogue.js';

describe('docs/api.md', () => {
  it('lists every problem code with its status and title, and no other', () => {
    const page = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| (\d{3}) +\| `(\w+)` +\| (.+?) +\|$/gm)];
    const listed = rows.map(([, status, code, title]) => [code, { status: Number(status), title }]);
    expect(Object.fromEntries(listed)).toEqual(PROBLEMS);
  });
});
