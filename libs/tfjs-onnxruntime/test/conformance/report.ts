/** Failures as text: grouped by error first (one missing kernel fails many suites), then by suite. */
import type { SpecResult } from './judge-specs.js';

/** A missing kernel's message names the kernel; numbers and arrays are removed from other messages, so that equal errors are grouped. */
function errorKind(message: string): string {
  const firstLine = message.split('\n')[0] ?? '';
  return firstLine
    .replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/gi, '#')
    .replace(/#(,\s*#)+/g, '#…')
    .slice(0, 140);
}

/** The suite's name is the spec's name up to what the suites of tfjs-core put last: we take the first word(s) before a space. */
const suiteOf = (spec: string) => spec.split(' ')[0] ?? spec;

/** Groups failures as `count  error kind` with the suites they come from; with `list`, every spec and its message too. */
export function formatFailures(failed: readonly SpecResult[], options: { list: boolean }): string {
  const kinds = new Map<string, Map<string, number>>();
  for (const { spec, errors } of failed) {
    const kind = errorKind(errors[0]?.message ?? 'no message');
    const suites = kinds.get(kind) ?? new Map<string, number>();
    suites.set(suiteOf(spec), (suites.get(suiteOf(spec)) ?? 0) + 1);
    kinds.set(kind, suites);
  }
  const total = (suites: Map<string, number>) => [...suites.values()].reduce((sum, n) => sum + n, 0);
  const lines = [...kinds]
    .sort(([, a], [, b]) => total(b) - total(a))
    .map(([kind, suites]) => {
      const names = [...suites].sort(([, a], [, b]) => b - a).map(([name, n]) => `${name} ${n}`);
      return `${String(total(suites)).padStart(5)}  ${kind}\n       ${names.slice(0, 8).join(', ')}`;
    });
  if (options.list) {
    for (const { spec, errors } of failed) lines.push(`FAILED ${spec}\n       ${errors[0]?.message ?? ''}`);
  }
  return lines.join('\n');
}
