/**
 * Sets of keys as bits, bit k for key k: quick to combine whatever their size, and one array for a message to a thread.
 * Keys are numbers of rows, which the database counts up from 1.
 */

export type KeySet = Uint32Array<ArrayBuffer>;

/** An empty set with room for the keys 0 to `largest`. */
export const emptySet = (largest: number): KeySet => new Uint32Array((largest >>> 5) + 1);

export function keySetOf(keys: readonly number[]): KeySet {
  const set = emptySet(keys.reduce((largest, key) => Math.max(largest, key), 0));
  for (const key of keys) addKey(set, key);
  return set;
}

/** The set must have room for the key. */
export function addKey(set: KeySet, key: number): void {
  set[key >>> 5]! |= 1 << (key & 31);
}

/** A key beyond the set is no error. */
export function removeKey(set: KeySet, key: number): void {
  if (key >>> 5 < set.length) set[key >>> 5]! &= ~(1 << (key & 31));
}

export const hasKey = (set: KeySet, key: number): boolean => (set[key >>> 5]! & (1 << (key & 31))) !== 0;

/** The keys in ascending order. */
export function* keysOf(set: KeySet): Generator<number> {
  for (let word = 0; word < set.length; word++) {
    for (let bits = set[word]!; bits !== 0; bits &= bits - 1) yield word * 32 + 31 - Math.clz32(bits & -bits);
  }
}
