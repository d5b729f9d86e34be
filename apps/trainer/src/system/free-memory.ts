/**
 * Memory that this process may still take: what the machine has left, or its control group and those around it if they have
 * less. Knows the files of Linux (proc(5), cgroups version 1 and 2).
 */
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import path from 'node:path';

/** Where the files are; a test has its own. */
export interface MemoryFiles {
  proc: string;
  cgroup: string;
}

const SYSTEM: MemoryFiles = { proc: '/proc', cgroup: '/sys/fs/cgroup' };

/** Bytes. */
export function freeMemory(files: MemoryFiles = SYSTEM): number {
  const meminfo = read(path.join(files.proc, 'meminfo'));
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo ?? '')?.[1];
  const machine = available === undefined ? freemem() : 1024 * Number(available);
  return Math.max(0, Math.min(machine, ...groupsLeft(files)));
}

interface Version {
  folder: string;
  limit: string;
  usage: string;
  /** In memory.stat: pages of files, which the kernel drops when memory runs short. */
  reclaimable: RegExp;
}

/** Bytes left in the process's group and in each group around it, as far as their files are there. */
function groupsLeft({ proc, cgroup }: MemoryFiles): number[] {
  const lines = (read(path.join(proc, 'self', 'cgroup')) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) return [];
    if (controllers === '') return around(group).flatMap((each) => left(each, v2(cgroup)));
    if (!controllers.split(',').includes('memory')) return [];
    return around(group).flatMap((each) => left(each, v1(cgroup)));
  });
}

const v2 = (cgroup: string): Version => ({
  folder: cgroup,
  limit: 'memory.max',
  usage: 'memory.current',
  reclaimable: /^inactive_file (\d+)$/m,
});
const v1 = (cgroup: string): Version => ({
  folder: path.join(cgroup, 'memory'),
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  reclaimable: /^total_inactive_file (\d+)$/m,
});

/** '/a/b' → ['/a/b', '/a', '/']; inside a container the mount's root is the container's own group. */
function around(group: string): string[] {
  const parent = path.posix.dirname(group);
  return parent === group ? [group] : [group, ...around(parent)];
}

function left(group: string, { folder, limit, usage, reclaimable }: Version): number[] {
  const file = (name: string) => read(path.join(folder, group, name));
  const highest = Number(file(limit) ?? NaN); // 'max' is none
  const used = Number(file(usage) ?? NaN);
  if (!Number.isFinite(highest) || !Number.isFinite(used)) return [];
  const droppable = Number(reclaimable.exec(file('memory.stat') ?? '')?.[1] ?? 0);
  return [highest - used + droppable];
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
