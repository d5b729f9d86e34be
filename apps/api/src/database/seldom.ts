/** Slow work whose result may be a little old. */

/** Work that takes less, in milliseconds, is done each time. */
const QUICK = 50;
/** A result is reused for this many times as long as it took. */
const TIMES = 20;

/** Does `work` when it is asked for, but spends a twentieth of the time on it at most; those who ask meanwhile share it. */
export function seldom<T>(work: () => Promise<T>, now = () => performance.now()): () => Promise<T> {
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
