/**
 * Specs of tfjs-core's suite that the onnxruntime backend does not pass, each with its reason. The list is
 * checked both ways: a spec that fails and is not here fails the run, and so does one that is here and passes.
 */
export interface ExpectedFailure {
  /** The spec's full name as the run prints it, without the backend's name. */
  spec: string;
  reason: string;
}

export const EXPECTED_FAILURES: readonly ExpectedFailure[] = [
  {
    spec: 'avgPool gradient x=[3,3,1] f=[3,3] s=1 p=explicit',
    reason:
      'The spec divides by the size of the window although padding does not count in the forward pass. We return ' +
      'the gradient of what avgPool computes: dy ÷ the number of real inputs in the window.',
  },
  {
    spec: 'exp int32',
    reason:
      'exp(10) = 22026.4658 lies between two float32 numbers; ONNX Runtime returns the upper one, which is off by ' +
      '0.00100 where the spec allows 0.00100.',
  },
  {
    spec: 'tan numbers exceed float32 precision',
    reason: 'tan near its pole: 30144.1777 instead of 30144.1758, one unit in the last place of a float32.',
  },
];
