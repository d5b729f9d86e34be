/** The content of a folder's lock: who holds it, and whether that process is still there. */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isSystemError } from '../errors.js';

/** The content of a lock. Empty fields are unknown. */
export interface Lease {
  token: string;
  host: string;
  pid: number;
  /** Start of the process in clock ticks since boot, as the kernel reports it. */
  startTime: string;
  /** The kernel's boot and the pid namespace in which `pid` is counted. */
  namespace: string;
  since: string;
}

/** A new lease of this process. */
export function ownLease(): Lease {
  const { pid } = process;
  const since = new Date().toISOString();
  return {
    token: randomUUID(),
    host: hostname(),
    pid,
    startTime: startTime(pid),
    namespace: namespace(),
    since,
  };
}

/** The content of a lock; one that is damaged, or that an older version wrote, has empty fields. */
export function parseLease(text: string): Lease {
  let value: Partial<Record<keyof Lease, unknown>> = {};
  try {
    value = (JSON.parse(text) ?? {}) as typeof value;
  } catch {
    // Half-written: its writer was killed, or is about to touch it.
  }
  const field = (name: keyof Lease) => (typeof value[name] === 'string' ? value[name] : '');
  const pid = typeof value.pid === 'number' ? value.pid : 0;
  return {
    token: field('token'),
    host: field('host'),
    pid,
    startTime: field('startTime'),
    namespace: field('namespace'),
    since: field('since'),
  };
}

/** Whether the process id of a lease belongs to the pid namespace of this process. */
export const inThisNamespace = (lease: Lease): boolean =>
  lease.namespace !== '' && lease.namespace === namespace();

/** Of a process in this pid namespace: whether it is there and not a later one with the same id. */
export function processLives({ pid, startTime: started }: Lease): boolean {
  if (pid === process.pid) return started === startTime(pid) && started !== '';
  try {
    process.kill(pid, 0);
  } catch (error) {
    return isSystemError(error, 'EPERM');
  }
  return started === startTime(pid);
}

/** Start of a process in clock ticks since boot (field 22 of proc(5) stat); empty where there is no /proc. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Names the kernel's boot and the pid namespace of this process; empty where that is unknown. */
function namespace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}
