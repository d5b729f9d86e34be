/** Asked between two steps of a run. */
export interface StopRequest {
  readonly requested: boolean;
  /** Throws StoppedError when a signal has asked the run to stop. */
  throwIfRequested(): void;
}
