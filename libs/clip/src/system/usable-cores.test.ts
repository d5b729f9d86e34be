import { describe, expect, it } from 'vitest';
import { withSystemFiles } from '../../test/system-files.js';
import { usableCores } from './usable-cores.js';

/** Cores of a machine with 8 where these files hold these contents. */
const coresWith = (contents: Record<string, string>) =>
  withSystemFiles(contents, (folders) => usableCores(folders, 8));

describe('usable cores', () => {
  it('are those of the affinity where no group limits their time', () => {
    expect(coresWith({})).toBe(8);
    expect(coresWith({ 'proc/self/cgroup': '0::/a\n', 'cgroup/a/cpu.max': 'max 100000\n' })).toBe(8);
    const unlimited = { 'proc/self/cgroup': '3:cpu,cpuacct:/\n', 'cgroup/cpu/cpu.cfs_period_us': '100000\n' };
    expect(coresWith({ ...unlimited, 'cgroup/cpu/cpu.cfs_quota_us': '-1\n' })).toBe(8);
  });

  it('are as many as the narrowest of nested groups pays for, rounded up', () => {
    const nested = {
      'proc/self/cgroup': '0::/a/b\n',
      'cgroup/a/b/cpu.max': '600000 100000\n',
      'cgroup/a/cpu.max': '125000 50000\n',
    };
    expect(coresWith(nested)).toBe(3);
    expect(coresWith({ ...nested, 'cgroup/a/b/cpu.max': '10000 100000\n' })).toBe(1);
    expect(coresWith({ ...nested, 'cgroup/a/cpu.max': '9900000 100000\n' })).toBe(6);
  });

  it('follow a quota of version 1, also where only the root of a container is mounted', () => {
    const container = {
      'proc/self/cgroup': '5:memory:/x\n4:cpu,cpuacct:/docker/1234\n',
      'cgroup/cpu/cpu.cfs_quota_us': '200000\n',
      'cgroup/cpu/cpu.cfs_period_us': '100000\n',
    };
    expect(coresWith(container)).toBe(2);
  });
});
