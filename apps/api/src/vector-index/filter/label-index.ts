/** Which images carry a label (a tag, or the id of a collection), so that a search with labels asks no database. */

const NONE: ReadonlySet<number> = new Set();

export class LabelIndex {
  private readonly keys = new Map<string, Set<number>>();
  private readonly labels = new Map<number, readonly string[]>();

  /** The labels of an image, instead of those it had. */
  set(key: number, labels: readonly string[]): void {
    this.delete(key);
    if (labels.length === 0) return;
    this.labels.set(key, labels);
    for (const label of labels) {
      let keys = this.keys.get(label);
      if (keys === undefined) this.keys.set(label, (keys = new Set()));
      keys.add(key);
    }
  }

  /** An unknown key is no error. */
  delete(key: number): void {
    for (const label of this.labels.get(key) ?? []) {
      const keys = this.keys.get(label)!;
      keys.delete(key);
      if (keys.size === 0) this.keys.delete(label);
    }
    this.labels.delete(key);
  }

  /** Keys of the images that carry the label. */
  keysWith(label: string): ReadonlySet<number> {
    return this.keys.get(label) ?? NONE;
  }
}
