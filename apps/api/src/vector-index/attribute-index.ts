/** What a search can be narrowed by, kept beside the vectors: tags, collections, and when an image was added. */
import { addKey, emptySet, keysOf, removeKey, type KeySet } from './key-set.js';
import { LabelIndex } from './label-index.js';

export interface ImageAttributes {
  key: number;
  tags: readonly string[];
  /** Ids. */
  collections: readonly string[];
  addedAt: Date;
}

/** All conditions must hold. */
export interface ImageFilter {
  /** All of these tags. */
  tags?: readonly string[];
  /** None of these tags. */
  withoutTags?: readonly string[];
  /** In all of these collections, by id. */
  collections?: readonly string[];
  /** Added at this time or later, in milliseconds. */
  from?: number;
  /** Added at this time or earlier, in milliseconds. */
  to?: number;
  /** Not these images, by key. */
  except?: readonly number[];
  /** No image with a larger key: none that came later. */
  upTo?: number;
}

export class AttributeIndex {
  private readonly tags = new LabelIndex();
  private readonly collections = new LabelIndex();
  private everything = emptySet(1023);
  private largest = 0;
  /** By key, in milliseconds. */
  private addedAt = new Float64Array(1024);

  /** What is known of an image, instead of what was. */
  set({ key, tags, collections, addedAt }: ImageAttributes): void {
    if (key >= this.addedAt.length) this.grow(key);
    addKey(this.everything, key);
    this.largest = Math.max(this.largest, key);
    this.addedAt[key] = addedAt.getTime();
    this.tags.set(key, tags);
    this.collections.set(key, collections);
  }

  /** Of all images that there were. */
  get largestKey(): number {
    return this.largest;
  }

  /** An unknown key is no error. */
  delete(key: number): void {
    removeKey(this.everything, key);
    this.tags.delete(key);
    this.collections.delete(key);
  }

  /** Keys of the images that a filter lets pass; undefined when it says nothing. */
  matching(filter: ImageFilter): KeySet | undefined {
    const { tags = [], withoutTags = [], collections = [], from, to, except = [], upTo } = filter;
    const required = [
      ...tags.map((tag) => this.tags.keysWith(tag)),
      ...collections.map((id) => this.collections.keysWith(id)),
    ];
    const hasDates = from !== undefined || to !== undefined;
    const isNarrowed = required.length + withoutTags.length + except.length > 0 || hasDates;
    const hidesLater = upTo !== undefined && upTo < this.largest;
    if (!isNarrowed && !hidesLater) return undefined;
    const passing = this.withAll(required);
    for (const tag of withoutTags) for (const key of this.tags.keysWith(tag)) removeKey(passing, key);
    if (hasDates) this.keepAdded(passing, from ?? -Infinity, to ?? Infinity);
    for (const key of except) removeKey(passing, key);
    if (hidesLater) for (let key = upTo + 1; key <= this.largest; key++) removeKey(passing, key);
    return passing;
  }

  private withAll(required: readonly ReadonlySet<number>[]): KeySet {
    const [rarest, ...others] = required.toSorted((a, b) => a.size - b.size);
    if (rarest === undefined) return this.everything.slice();
    const passing = emptySet(this.addedAt.length - 1);
    for (const key of rarest) if (others.every((keys) => keys.has(key))) addKey(passing, key);
    return passing;
  }

  private keepAdded(passing: KeySet, from: number, to: number): void {
    for (const key of keysOf(passing)) {
      const time = this.addedAt[key]!;
      if (time < from || time > to) removeKey(passing, key);
    }
  }

  private grow(key: number): void {
    const capacity = Math.ceil((key * 1.5) / 32) * 32;
    const everything = emptySet(capacity - 1);
    everything.set(this.everything);
    this.everything = everything;
    const addedAt = new Float64Array(capacity);
    addedAt.set(this.addedAt);
    this.addedAt = addedAt;
  }
}
