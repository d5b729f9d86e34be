/** Ordered results as flat arrays, which threads hand over without copying. Pure. */

/** By descending score; equal scores by ascending key. */
export interface Ranking {
  keys: Int32Array<ArrayBuffer>;
  scores: Float32Array<ArrayBuffer>;
}

/** A place in the order of a result. */
export interface Place {
  score: number;
  key: number;
}

/** Indices of the scores that come after a place. */
export function comingAfter(
  scores: Float32Array,
  keyAt: (index: number) => number,
  { score, key }: Place,
): Uint32Array {
  const indices = new Uint32Array(scores.length);
  let count = 0;
  for (let index = 0; index < scores.length; index++) {
    const own = scores[index]!;
    if (own < score || (own === score && keyAt(index) > key)) indices[count++] = index;
  }
  return indices.subarray(0, count);
}

/** Up to this many are kept in order while the scores pass by; more are sorted. */
const FEW = 256;

export const EMPTY: Ranking = { keys: new Int32Array(0), scores: new Float32Array(0) };

/** The best `limit` of unordered scores. @param keyAt key of the score with this index */
export function best(scores: Float32Array, keyAt: (index: number) => number, limit: number): Ranking {
  const count = Math.min(limit, scores.length);
  const order = count <= FEW ? few(scores, keyAt, count) : many(scores, keyAt, count);
  const ranking = { keys: new Int32Array(count), scores: new Float32Array(count) };
  for (let rank = 0; rank < count; rank++) {
    ranking.keys[rank] = keyAt(order[rank]!);
    ranking.scores[rank] = scores[order[rank]!]!;
  }
  return ranking;
}

/** Indices of the best, by insertion: after the first few scores hardly any is inserted. */
function few(scores: Float32Array, keyAt: (index: number) => number, count: number): ArrayLike<number> {
  const order: number[] = [];
  if (count === 0) return order;
  let lowest = -Infinity;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index]!;
    if (order.length === count && score < lowest) continue;
    let place = order.length;
    while (place > 0 && comesBefore(index, order[place - 1]!, scores, keyAt)) place--;
    if (place === count) continue;
    order.splice(place, 0, index);
    if (order.length > count) order.pop();
    lowest = scores[order.at(-1)!]!;
  }
  return order;
}

/**
 * Indices of the best, by one sort of numbers that hold score and index: an integer of 32 bits that grows as the score
 * falls, times 2^21, plus the index. A float64 has room for 53 bits.
 */
function many(scores: Float32Array, keyAt: (index: number) => number, count: number): ArrayLike<number> {
  const bits = new Int32Array(scores.slice().buffer);
  const packed = new Float64Array(scores.length);
  for (let index = 0; index < bits.length; index++) {
    const own = bits[index]!;
    // As unsigned integers, floats ascend with all bits of negative ones and the sign of positive ones turned.
    const ascending = (own < 0 ? ~own : own ^ 0x8000_0000) >>> 0;
    packed[index] = (0xffff_ffff - ascending) * INDICES + index;
  }
  packed.sort();
  const order = Uint32Array.from(packed, (value) => value % INDICES);
  // Equal scores are in the order of their indices so far.
  for (let from = 0; from < count;) {
    let to = from + 1;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) to++;
    if (to > from + 1) order.subarray(from, to).sort((a, b) => keyAt(a) - keyAt(b));
    from = to;
  }
  return order.subarray(0, count);
}

/** More scores than a shard can hold. */
const INDICES = 2 ** 21;

const comesBefore = (a: number, b: number, scores: Float32Array, keyAt: (index: number) => number): boolean =>
  scores[a]! > scores[b]! || (scores[a] === scores[b] && keyAt(a) < keyAt(b));

/** The best `limit` of several rankings. */
export function merge(rankings: readonly Ranking[], limit: number): Ranking {
  const total = rankings.reduce((sum, { keys }) => sum + keys.length, 0);
  const length = Math.min(limit, total);
  const merged: Ranking = { keys: new Int32Array(length), scores: new Float32Array(length) };
  const next = rankings.map(() => 0);
  for (let rank = 0; rank < merged.keys.length; rank++) {
    let from = -1;
    for (let r = 0; r < rankings.length; r++) {
      const { keys, scores } = rankings[r]!;
      const at = next[r]!;
      if (at === keys.length) continue;
      const score = merged.scores[rank]!;
      const isFirst = from === -1 || scores[at]! > score;
      if (!isFirst && !(scores[at] === score && keys[at]! < merged.keys[rank]!)) continue;
      from = r;
      merged.keys[rank] = keys[at]!;
      merged.scores[rank] = scores[at]!;
    }
    next[from]!++;
  }
  return merged;
}

/** `first`, and after it those of `second` that are not among it. */
export function followedBy(first: Ranking, second: Ranking): Ranking {
  const known = new Set(first.keys);
  const keep: number[] = [];
  second.keys.forEach((key, rank) => {
    if (!known.has(key)) keep.push(rank);
  });
  const rest = {
    keys: Int32Array.from(keep, (rank) => second.keys[rank]!),
    scores: Float32Array.from(keep, (rank) => second.scores[rank]!),
  };
  return concatenated(first, rest);
}

export const slice = ({ keys, scores }: Ranking, from: number, to: number): Ranking => ({
  keys: keys.slice(from, to),
  scores: scores.slice(from, to),
});

/** Without what has a lower score. */
export function atLeast({ keys, scores }: Ranking, minScore: number): Ranking {
  const keep = [...scores.keys()].filter((rank) => scores[rank]! >= minScore);
  return {
    keys: Int32Array.from(keep, (rank) => keys[rank]!),
    scores: Float32Array.from(keep, (rank) => scores[rank]!),
  };
}

function concatenated(first: Ranking, second: Ranking): Ranking {
  const length = first.keys.length + second.keys.length;
  const keys = new Int32Array(length);
  const scores = new Float32Array(length);
  keys.set(first.keys);
  scores.set(first.scores);
  keys.set(second.keys, first.keys.length);
  scores.set(second.scores, first.keys.length);
  return { keys, scores };
}
