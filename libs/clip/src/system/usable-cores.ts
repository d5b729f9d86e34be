/**
 * Processor cores that this process may use: those that its affinity allows, or fewer where a control group gives it a
 * share of their time. Node.js 20 ignores such a limit: with one thread for each core of the machine, a container that
 * may use two of 64 cores spends its time waiting for threads that the kernel has stopped.
 */
import { availableParallelism } from 'node:os';
import { controlGroups, SYSTEM_FILES, type ControlGroup, type SystemFiles } from './cgroup.js';

/** At least 1. */
export function usableCores(files: SystemFiles = SYSTEM_FILES, cores = availableParallelism()): number {
  const quotas = controlGroups('cpu', files).flatMap(quota);
  return Math.max(1, Math.min(cores, ...quotas.map(Math.ceil)));
}

/** Cores' worth of time that a group may use in a period; none where it has no limit. */
function quota({ version, read }: ControlGroup): number[] {
  const [limit, period] =
    version === 2
      ? (read('cpu.max') ?? '').trim().split(' ') // '200000 100000' or 'max 100000'
      : [read('cpu.cfs_quota_us'), read('cpu.cfs_period_us')]; // a quota of -1 is none
  const cores = Number(limit ?? NaN) / Number(period ?? NaN);
  return cores > 0 && Number.isFinite(cores) ? [cores] : [];
}
