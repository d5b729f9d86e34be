/** Whether the process that left a file behind is still running. */
import { isSystemError } from '../errors.js';

/** Whether a process with this id runs on this machine. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isSystemError(error, 'EPERM');
  }
}

/**
 * Whether something that process `pid` of this machine made at `modified` (milliseconds since the epoch) is
 * abandoned. An older process may have had the same id as this one: in a container every run has id 1.
 */
export function isAbandoned(pid: number, modified: number): boolean {
  const processStart = Date.now() - process.uptime() * 1000;
  return pid === process.pid ? modified < processStart : !isRunning(pid);
}
