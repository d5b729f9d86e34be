/** On whose behalf work is done, and whether anyone still waits for it. */
export interface RequestScope {
  /** Who asks: work, bytes and compute are shared fairly between clients. */
  readonly client: string;
  /** Aborted when the connection closes before the answer. */
  readonly signal: AbortSignal;
}
