/** Files as the kernel has them under /proc and for control groups. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** What `read` makes of folders with these files: name, such as `proc/meminfo`, → content. */
export function withSystemFiles<T>(
  contents: Record<string, string>,
  read: (folders: { proc: string; cgroup: string }) => T,
): T {
  const folder = mkdtempSync(path.join(tmpdir(), 'system-'));
  try {
    for (const [name, content] of Object.entries(contents)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), content);
    }
    return read({ proc: path.join(folder, 'proc'), cgroup: path.join(folder, 'cgroup') });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
