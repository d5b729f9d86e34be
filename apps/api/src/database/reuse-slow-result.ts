/** Results of slow work are reused for a while, where they may be a little old. */

/** Work that takes less, in milliseconds, is repeated each time. */
const QUICK = 50;
/** A result is reused for this multiple of the time that it took. */
const TIMES = 20;

/** Runs `work` on request, but spends at most a twentieth of the time on it; requests in between share a result. */
export function reuseSlowResult<T>(work: () => Promise<T>, now = () => performance.now()): () => Promise<T> {
  let last: { result: Promise<T>; until: number } | undefined;
  return () => {
    if (last !== undefined && now() < last.until) return last.result;
    const started = now();
    const current = { result: work(), until: Infinity };
    last = current;
    const end = () => {
      const taken = now() - started;
      current.until = taken < QUICK ? 0 : now() + TIMES * taken;
    };
    current.result.then(end, () => {
      current.until = 0;
    });
    return current.result;
  };
}
