import { describe, expect, it } from 'vitest';
import { withSystemFiles } from '../../test/system-files.js';
import { freeMemory } from './free-memory.js';

const MACHINE = { 'proc/meminfo': 'MemTotal: 9999 kB\nMemAvailable:    8192 kB\n' };

/** Bytes that are free where these files hold these contents; the machine has 8 MiB available. */
const freeWith = (contents: Record<string, string>) =>
  withSystemFiles({ ...MACHINE, ...contents }, freeMemory);

describe('free memory', () => {
  it('is what the machine has available where no group limits it', () => {
    expect(freeWith({})).toBe(8192 * 1024);
    const unlimited = { 'proc/self/cgroup': '0::/a\n', 'cgroup/a/memory.max': 'max\n' };
    expect(freeWith({ ...unlimited, 'cgroup/a/memory.current': '5\n' })).toBe(8192 * 1024);
  });

  it('is what the narrowest of nested groups of version 2 has left, droppable file pages included', () => {
    const nested = {
      'proc/self/cgroup': '0::/a/b\n',
      'cgroup/a/b/memory.max': '6000\n',
      'cgroup/a/b/memory.current': '1000\n',
      'cgroup/a/memory.max': '4000\n',
      'cgroup/a/memory.current': '2500\n',
      'cgroup/a/memory.stat': 'anon 1\ninactive_file 300\n',
    };
    expect(freeWith(nested)).toBe(1800);
    expect(freeWith({ ...nested, 'cgroup/a/memory.current': '5000\n' })).toBe(0);
  });

  it('is what a group of version 1 has left, also where only the root of a container is mounted', () => {
    const group = {
      'proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/docker/1234\n',
      'cgroup/memory/memory.limit_in_bytes': '7000\n',
      'cgroup/memory/memory.usage_in_bytes': '3000\n',
      'cgroup/memory/memory.stat': 'total_inactive_file 50\n',
    };
    expect(freeWith(group)).toBe(4050);
  });
});
