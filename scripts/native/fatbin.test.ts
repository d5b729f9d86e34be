import { describe, expect, it } from 'vitest';
import { architecturesOf, prune, readContainers, runsOn } from './fatbin.mjs';
import { fakeProvider } from './test/fake-provider.js';

const code = (letter: string, length = 32) => Buffer.alloc(length, letter);
const general = [
  { architecture: 75, code: code('a') },
  { architecture: 80, code: code('b') },
  { architecture: 90, code: code('c') },
  { architecture: 90, code: code('p'), isPtx: true },
];
const hopperOnly = [{ architecture: 90, code: code('h', 64) }];

describe('the GPU code in a library', () => {
  it('is listed by container and architecture', () => {
    const containers = readContainers(fakeProvider([general, hopperOnly]));
    expect(containers.map((entries) => entries.map(({ architecture }) => architecture))).toEqual([
      [75, 80, 90, 90],
      [90],
    ]);
    expect(architecturesOf(containers)).toEqual([75, 80, 90]);
  });

  it('loses what another GPU would run, and keeps its layout', () => {
    const library = fakeProvider([general, hopperOnly]);
    const before = Buffer.from(library);
    const [entries] = readContainers(library);
    expect(prune(library, 90)).toEqual({ kept: 32 + 32 + 64, dropped: 64 });
    expect(library.length).toBe(before.length);
    expect(library.includes(code('a'))).toBe(false);
    expect(library.includes(code('b'))).toBe(false);
    expect(library.includes(code('c'))).toBe(true);
    expect(library.includes(code('h', 64))).toBe(true);
    expect(readContainers(library)[0]).toEqual(entries);
  });

  it('can lose whole containers', () => {
    const library = fakeProvider([general, hopperOnly]);
    prune(library, 90, (entries) => entries.some(({ architecture }) => architecture === 75));
    expect(library.includes(code('c'))).toBe(true);
    expect(library.includes(Buffer.alloc(64, 'h'))).toBe(false);
  });

  it('of an earlier minor version runs on a later one, of another major version nowhere', () => {
    const library = fakeProvider([general]);
    prune(library, 86);
    expect(library.includes(code('b'))).toBe(true);
    expect([runsOn(80, 86), runsOn(86, 80), runsOn(80, 90), runsOn(100, 120)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it('is not sought in a file of another kind, and an unknown form is an error', () => {
    expect(() => readContainers(Buffer.from('a text'))).toThrow('not an ELF file');
    const library = fakeProvider([general]);
    const first = readContainers(library)[0]![0]!;
    library.writeUInt32LE(0xffffff, first.start - 64 + 8);
    expect(() => readContainers(library)).toThrow('unknown form');
  });
});
