/**
 * Specs of tfjs-core's suite that the onnxruntime backend does not pass, each with its reason. The list is kept
 * honest from both sides: a spec that fails and is not here fails the run, and so does one that is here and passes.
 */
export interface ExpectedFailure {
  /** The spec's full name as the run prints it, without the backend's name. */
  spec: string;
  reason: string;
}

export const EXPECTED_FAILURES: readonly ExpectedFailure[] = [];
