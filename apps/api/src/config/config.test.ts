import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, helpText, readConfig } from './config.js';

describe('the settings', () => {
  it('have a default for everything but the checkpoint', () => {
    const config = readConfig({ CLIP_CHECKPOINT: 'x' });
    expect(config).toMatchObject({ HOST: '127.0.0.1', PORT: 3000, IMPORT_ROOT: [], API_KEY_SCOPE: 'writes' });
    expect(config.API_KEY).toBeUndefined();
  });

  it('take an empty variable for absent', () => {
    expect(readConfig({ CLIP_CHECKPOINT: 'x', PORT: '', API_KEY: '' }).PORT).toBe(3000);
  });

  it('name every variable that is wrong, with what was found, but never a key', () => {
    const read = () => readConfig({ PORT: '99999', API_KEY: 'short', MAX_FILES: 'many' });
    expect(read).toThrow(ConfigError);
    try {
      read();
    } catch (error) {
      const { message } = error as ConfigError;
      expect(message).toMatch(/CLIP_CHECKPOINT is not set/);
      expect(message).toMatch(/PORT: .*found 99999/);
      expect(message).toMatch(/MAX_FILES: expected a whole number; found many/);
      expect(message).not.toMatch(/found short/);
    }
  });

  it('are listed in docs/api.md as in the help text', () => {
    const page = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8');
    const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
    const listed = rows
      .filter(([, name]) => /^`[A-Z_]+`$/.test(name ?? ''))
      .map(([, name, , meaning]) => [name?.replaceAll('`', ''), meaning]);
    const described = helpText()
      .split('\n')
      .filter((line) => /^ {2}[A-Z]/.test(line))
      .map((line) => [
        line.trim().split(' ')[0],
        line
          .slice(line.indexOf('  ', 2))
          .replace(/ \[[^\]]*\]$/, '')
          .replace(' (see docs/api.md)', '')
          .trim(),
      ]);
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(described));
  });

  it('are all listed in the help text with their defaults', () => {
    const text = helpText();
    for (const name of Object.keys(readConfig({ CLIP_CHECKPOINT: 'x' }))) expect(text).toContain(name);
    expect(text).toMatch(/PORT .*\[3000\]/);
  });
});
