/** Gives the memory of decoded images back at once. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A collection takes about as long as decoding this many pixels. */
const WORTH_IT = 4_000_000;

let collect: (() => void) | undefined;
let freed = 0;

/**
 * Collects garbage when many pixels were decoded since the last time. What V8 holds for them lies outside its heap, and
 * does not make it collect garbage: eight images of 32 megapixels kept a gigabyte.
 * @param decoded pixels that this thread has decoded in all and no longer uses, without those of plain JPEG, which lie in
 *   memory that is used again
 */
export function freeDecoded(decoded: number): void {
  if (decoded - freed < WORTH_IT) return;
  freed = decoded;
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
