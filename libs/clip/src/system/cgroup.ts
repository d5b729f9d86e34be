/** The control groups of this process and those around them, in Linux's files (proc(5), cgroups version 1 and 2). */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Where the files are; a test has its own. */
export interface SystemFiles {
  proc: string;
  cgroup: string;
}

export const SYSTEM_FILES: SystemFiles = { proc: '/proc', cgroup: '/sys/fs/cgroup' };

/** A control group: the version of its files, and how to read one of them. */
export interface ControlGroup {
  version: 1 | 2;
  /** The file's text, undefined where the group has no such file. */
  read: (name: string) => string | undefined;
}

/**
 * The groups that limit what `controller` counts, the process's own first and the root last. Inside a container the root is
 * the container's own group.
 */
export function controlGroups(controller: 'cpu' | 'memory', { proc, cgroup }: SystemFiles): ControlGroup[] {
  const lines = (readText(path.join(proc, 'self', 'cgroup')) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) return [];
    const version = controllers === '' ? 2 : 1;
    if (version === 1 && !controllers.split(',').includes(controller)) return [];
    const mount = version === 2 ? cgroup : path.join(cgroup, controller);
    return around(group).map((each) => ({
      version,
      read: (name: string) => readText(path.join(mount, each, name)),
    }));
  });
}

/** '/a/b' → ['/a/b', '/a', '/'] */
function around(group: string): string[] {
  const parent = path.posix.dirname(group);
  return parent === group ? [group] : [group, ...around(parent)];
}

export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
