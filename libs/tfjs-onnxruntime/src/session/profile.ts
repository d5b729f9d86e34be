/** Where the time of a graph goes: runs it in a session of its own with ONNX Runtime's profiler on. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeRuntimeFor } from './native.js';
import { openSession } from './native-session.js';
import type { HostArray, SessionOptions } from './ort.js';

/** The time of all nodes of one op with the same shapes. */
export interface ProfileEntry {
  /** ONNX op, e.g. 'FusedMatMul'. */
  op: string;
  /** TensorFlow.js kernel that recorded it, e.g. 'BatchMatMul'; graph optimisation can merge several. */
  kernel: string;
  /** Shapes of the inputs and outputs, as ONNX Runtime reports them. */
  shapes: string;
  count: number;
  /** Milliseconds of one run, summed over `count` nodes. */
  ms: number;
}

interface TraceEvent {
  cat?: string;
  name: string;
  dur?: number;
  args?: { op_name?: string; input_type_shape?: unknown; output_type_shape?: unknown };
}

/** @returns entries in descending order of time, which is that of the fastest of `runs` runs of each node */
export function profileModel(
  model: Uint8Array,
  options: SessionOptions,
  feeds: Readonly<Record<string, HostArray>>,
  fetches: Readonly<Record<string, HostArray | null>>,
  { native, runs = 3 }: { native: boolean; runs?: number },
): ProfileEntry[] {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-onnxruntime-'));
  try {
    const profiling = { ...options, enableProfiling: true, profileFilePrefix: join(folder, 'profile') };
    const session = openSession(model, profiling, native ? nativeRuntimeFor(options) : undefined);
    for (let i = 0; i < runs; i++) session.run(feeds, fetches);
    session.endProfiling();
    session.dispose();
    const file = readdirSync(folder).find((name) => name.endsWith('.json'))!;
    return summarise(JSON.parse(readFileSync(join(folder, file), 'utf8')) as TraceEvent[]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function summarise(events: readonly TraceEvent[]): ProfileEntry[] {
  const fastest = new Map<string, TraceEvent>();
  for (const event of events) {
    if (event.cat !== 'Node' || !event.name.endsWith('_kernel_time')) continue;
    const known = fastest.get(event.name);
    if (known === undefined || event.dur! < known.dur!) fastest.set(event.name, event);
  }
  const entries = new Map<string, ProfileEntry>();
  for (const { name, dur, args } of fastest.values()) {
    const op = args?.op_name ?? '';
    const kernel = name.replace(/_kernel_time$/, '').split(/_\d/, 1)[0]!;
    const shapes = `${describe(args?.input_type_shape)} → ${describe(args?.output_type_shape)}`;
    const key = `${op} ${kernel} ${shapes}`;
    const entry = entries.get(key) ?? { op, kernel, shapes, count: 0, ms: 0 };
    entry.count++;
    entry.ms += dur! / 1000;
    entries.set(key, entry);
  }
  return [...entries.values()].sort((a, b) => b.ms - a.ms);
}

/** [{"float":[32,384]}, …] → '[32,384] …' */
function describe(shapes: unknown): string {
  if (!Array.isArray(shapes)) return '';
  return (shapes as Record<string, number[]>[])
    .map((s) => `[${Object.values(s)[0]?.join(',') ?? ''}]`)
    .join(' ');
}
