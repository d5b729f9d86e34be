/** Gives the memory of decoded images back at once. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A collection takes about as long as decoding this many pixels. */
const WORTH_IT = 4_000_000;

let collect: (() => void) | undefined;
let pixels = 0;

/**
 * Reports pixels that were decoded on this thread and are no longer used. What V8 holds for them lies outside its
 * heap, and does not make it collect garbage: eight images of 32 megapixels kept a gigabyte.
 */
export function freeDecoded(count: number): void {
  pixels += count;
  if (pixels < WORTH_IT) return;
  pixels = 0;
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
