import { describe, expect, it } from 'vitest';
import { pendingMigrations, splitStatements } from './migrate.js';

const first = { name: '1_first', checksum: 'a', statements: [] };
const second = { name: '2_second', checksum: 'b', statements: [] };

describe('migrations', () => {
  it('are applied once', () => {
    expect(pendingMigrations([first, second], [])).toEqual([first, second]);
    expect(pendingMigrations([first, second], [{ name: '1_first', checksum: 'a' }])).toEqual([second]);
  });

  it('must not change after they were applied', () => {
    expect(() => pendingMigrations([first], [{ name: '1_first', checksum: 'x' }])).toThrow(/was changed/);
  });

  it('of a newer version are refused', () => {
    expect(() => pendingMigrations([first], [{ name: '9_new', checksum: 'x' }])).toThrow(/does not know/);
  });

  it('are split where a line ends with a semicolon', () => {
    const sql = "-- a comment; with a semicolon\nCREATE TABLE a (\n  b TEXT DEFAULT 'x;y'\n);\n\nSELECT 1;";
    expect(splitStatements(sql)).toEqual(["CREATE TABLE a (\n  b TEXT DEFAULT 'x;y'\n)", 'SELECT 1']);
  });
});
