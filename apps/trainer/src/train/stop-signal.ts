/** Ctrl-C during training. */

export interface StopSignal {
  readonly requested: boolean;
  /** Signals end the process again. */
  release: () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first SIGINT or SIGTERM asks training to stop after its step; a second one ends the process at once. */
export function watchStopSignals(log: (line: string) => void): StopSignal {
  let requested = false;
  const onSignal = () => {
    if (requested) process.exit(130);
    requested = true;
    log('stopping after this step; once more to stop at once');
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    get requested() {
      return requested;
    },
    release: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
