/**
 * Memory that this process may still take: what the machine has left, or its control group and those around it if they have
 * less.
 */
import { freemem } from 'node:os';
import path from 'node:path';
import { controlGroups, readText, SYSTEM_FILES, type ControlGroup, type SystemFiles } from './cgroup.js';

/** Bytes. */
export function freeMemory(files: SystemFiles = SYSTEM_FILES): number {
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(readText(path.join(files.proc, 'meminfo')) ?? '')?.[1];
  const machine = available === undefined ? freemem() : 1024 * Number(available);
  return Math.max(0, Math.min(machine, ...controlGroups('memory', files).flatMap(left)));
}

/** The files' names in the two versions; reclaimable: pages of files, which the kernel drops when memory runs short. */
const FILES = {
  1: {
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    reclaimable: /^total_inactive_file (\d+)$/m,
  },
  2: { limit: 'memory.max', usage: 'memory.current', reclaimable: /^inactive_file (\d+)$/m },
};

/** Bytes that are left in a group; none where it has no limit. */
function left({ version, read }: ControlGroup): number[] {
  const { limit, usage, reclaimable } = FILES[version];
  const highest = Number(read(limit) ?? NaN); // 'max' is none
  const used = Number(read(usage) ?? NaN);
  if (!Number.isFinite(highest) || !Number.isFinite(used)) return [];
  return [highest - used + Number(reclaimable.exec(read('memory.stat') ?? '')?.[1] ?? 0)];
}
