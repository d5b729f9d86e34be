/** What a search can be narrowed by, kept beside the vectors: tags, collections, when an image was added and taken. */
import { addKey, emptySet, keysOf, removeKey, type KeySet } from './key-set.js';
import { LabelIndex } from './label-index.js';

export interface ImageAttributes {
  key: number;
  tags: readonly string[];
  /** Ids. */
  collections: readonly string[];
  addedAt: Date;
  /** Null where that is not known. */
  takenAt: Date | null;
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
  /** The same of when it was taken, which is not known of all. */
  takenFrom?: number;
  takenTo?: number;
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
  /** The same; NaN where it is not known. */
  private takenAt = new Float64Array(1024);

  /** What is known of an image, instead of what was. */
  set({ key, tags, collections, addedAt, takenAt }: ImageAttributes): void {
    if (key >= this.addedAt.length) this.grow(key);
    addKey(this.everything, key);
    this.largest = Math.max(this.largest, key);
    this.addedAt[key] = addedAt.getTime();
    this.takenAt[key] = takenAt?.getTime() ?? NaN;
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
    const { tags = [], withoutTags = [], collections = [], except = [], upTo } = filter;
    const required = [
      ...tags.map((tag) => this.tags.keysWith(tag)),
      ...collections.map((id) => this.collections.keysWith(id)),
    ];
    const spans = [
      { times: this.addedAt, from: filter.from, to: filter.to },
      { times: this.takenAt, from: filter.takenFrom, to: filter.takenTo },
    ].filter(({ from, to }) => (from ?? to) !== undefined);
    const isNarrowed = required.length + withoutTags.length + except.length + spans.length > 0;
    const hidesLater = upTo !== undefined && upTo < this.largest;
    if (!isNarrowed && !hidesLater) return undefined;
    const passing = this.withAll(required);
    for (const tag of withoutTags) for (const key of this.tags.keysWith(tag)) removeKey(passing, key);
    for (const { times, from = -Infinity, to = Infinity } of spans) keepWithin(passing, times, from, to);
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

  private grow(key: number): void {
    const capacity = Math.ceil((key * 1.5) / 32) * 32;
    const everything = emptySet(capacity - 1);
    everything.set(this.everything);
    this.everything = everything;
    this.addedAt = enlarged(this.addedAt, capacity);
    this.takenAt = enlarged(this.takenAt, capacity);
  }
}

/** Takes away the keys whose time is not in the span, or not known. */
function keepWithin(passing: KeySet, times: Float64Array, from: number, to: number): void {
  for (const key of keysOf(passing)) {
    const time = times[key]!;
    if (!(time >= from && time <= to)) removeKey(passing, key);
  }
}

function enlarged(values: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity);
  larger.set(values);
  return larger;
}
