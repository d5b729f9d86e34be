/** What the work of a run asks between two steps. */
export interface StopRequest {
  readonly requested: boolean;
  /** Throws StoppedError when a signal has asked the run to stop. */
  throwIfRequested(): void;
}
