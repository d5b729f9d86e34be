/**
 * How many threads ONNX Runtime gets. It counts the cores of the machine itself, also those that the process may not run on
 * (`taskset`, a cpuset); its threads then wait for each other by spinning.
 */
import { availableParallelism, cpus } from 'node:os';
import type { SessionOptions } from './ort.js';

type Threads = Pick<SessionOptions, 'intraOpNumThreads'>;

/** The option for a process that may use fewer cores than there are; nothing where it may use all. */
export const threadOptions = (
  usable: number = availableParallelism(),
  present: number = cpus().length,
): Threads => (usable < present ? { intraOpNumThreads: usable } : {});

/** The threads of other options, for a session that shares nothing else with them. */
export const threadsOf = ({ intraOpNumThreads }: Threads): Threads =>
  intraOpNumThreads === undefined ? {} : { intraOpNumThreads };
