/** Things that take time to prepare, ahead of their use. */

/**
 * What `prepare` makes of each item, in order. While one is in use, the next `ahead` are being prepared.
 * @param ahead at least 1
 * @param release gets each when the next is asked for: it is in use no longer
 * @throws what `prepare` throws, when its item's turn comes
 */
export async function* prefetch<Item, Prepared>(
  items: Iterable<Item>,
  ahead: number,
  prepare: (item: Item) => Promise<Prepared>,
  release: (prepared: Prepared) => void = () => undefined,
): AsyncGenerator<Prepared> {
  const queue: Promise<Prepared>[] = [];
  const rest = items[Symbol.iterator]();
  const fill = () => {
    while (queue.length < ahead) {
      const next = rest.next();
      if (next.done) return;
      const prepared = prepare(next.value);
      // An error is thrown when its turn comes; without this it would count as unhandled until then.
      prepared.catch(() => undefined);
      queue.push(prepared);
    }
  };
  fill();
  while (queue.length > 0) {
    const current = await queue[0]!;
    void queue.shift();
    fill();
    yield current;
    release(current);
  }
}
