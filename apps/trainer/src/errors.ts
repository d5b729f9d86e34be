/**
 * The trainer's own errors: what happened, what was expected, and the exit code that goes with it. Exit code 0 means
 * that all was done; 2 means
 * that the input is wrong and the user can correct it; 1 means that something failed at run time; 130 and 143 mean that
 * SIGINT or SIGTERM stopped the run.
 */

/** Wrong input: an option, a configuration file, a dataset. Exit code 2. */
export class InputError extends Error {
  override readonly name = 'InputError';

  /** @param code a stable name of what is wrong, shown after the message */
  constructor(
    message: string,
    readonly code?: 'INIT_FROM_CONFLICT' | 'INIT_FROM_NOT_DUAL_ENCODER' | 'INIT_FROM_IN_OUTPUT',
  ) {
    super(code === undefined ? message : `${message} [${code}]`);
  }
}

/** Training or export failed: a loss that is not finite, ONNX models that differ. Exit code 1. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
}

/** A signal asked the run to stop, and it has saved what it had. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';

  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** The message for the terminal and the exit code of an error that ended a command. */
export function describeFailure(error: unknown): { message: string; exitCode: number } {
  if (error instanceof InputError) return { message: error.message, exitCode: 2 };
  if (error instanceof TrainingError) return { message: error.message, exitCode: 1 };
  if (error instanceof StoppedError) return { message: error.message, exitCode: error.exitCode };
  // ClipError is recognised by its name: importing the class would load the whole package before the command line is read.
  if (error instanceof Error && error.name === 'ClipError') return { message: error.message, exitCode: 2 };
  if (error instanceof Error) return { message: error.message, exitCode: 1 };
  return { message: String(error), exitCode: 1 };
}
