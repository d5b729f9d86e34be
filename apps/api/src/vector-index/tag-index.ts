/** Which images carry a tag, so that a search with tags asks no database. */

export class TagIndex {
  private readonly keysOf = new Map<string, Set<number>>();
  private readonly tagsOf = new Map<number, readonly string[]>();

  /** The tags of an image, instead of those it had. */
  set(key: number, tags: readonly string[]): void {
    this.delete(key);
    if (tags.length === 0) return;
    this.tagsOf.set(key, tags);
    for (const tag of tags) {
      let keys = this.keysOf.get(tag);
      if (keys === undefined) this.keysOf.set(tag, (keys = new Set()));
      keys.add(key);
    }
  }

  /** An unknown key is no error. */
  delete(key: number): void {
    for (const tag of this.tagsOf.get(key) ?? []) {
      const keys = this.keysOf.get(tag)!;
      keys.delete(key);
      if (keys.size === 0) this.keysOf.delete(tag);
    }
    this.tagsOf.delete(key);
  }

  /** Keys of the images that carry all of these tags, at least one. */
  withAll(tags: readonly string[]): number[] {
    const sets = tags.map((tag) => this.keysOf.get(tag) ?? new Set<number>());
    const [rarest, ...others] = sets.sort((a, b) => a.size - b.size);
    return [...rarest!].filter((key) => others.every((keys) => keys.has(key)));
  }
}
