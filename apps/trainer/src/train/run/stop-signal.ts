/** Ctrl-C during a run: at once while there is nothing to save, after the step while the model trains. */
import { constants } from 'node:os';
import { StoppedError } from '../../errors.js';
import type { StopRequest } from '../../stop-request.js';

export interface StopSignals extends StopRequest {
  /** From now on the first signal asks the run to stop by itself; a second one ends the process at once. */
  defer(log: (line: string) => void): void;
  /** Signals end the process at once again. */
  undefer(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The exit code that shells give to a process that a signal ended. */
const exitCodeOf = (signal: (typeof SIGNALS)[number]): number => 128 + constants.signals[signal];

/** Watches SIGINT and SIGTERM until the process ends. */
export function watchStopSignals(): StopSignals {
  let log: ((line: string) => void) | undefined;
  let exitCode: number | undefined;
  const onSignal = (signal: (typeof SIGNALS)[number]) => {
    if (log === undefined || exitCode !== undefined) process.exit(exitCodeOf(signal));
    exitCode = exitCodeOf(signal);
    log('stopping after this step; once more to stop at once');
  };
  for (const signal of SIGNALS) process.on(signal, () => onSignal(signal));
  return {
    get requested() {
      return exitCode !== undefined;
    },
    defer: (print) => {
      log = print;
    },
    throwIfRequested: () => {
      if (exitCode !== undefined)
        throw new StoppedError('stopped; the same command resumes from here', exitCode);
    },
    undefer: () => {
      log = undefined;
    },
  };
}
