/** What a file may become on its way: each beginning of it, and each copy with one byte inverted. */
export function* damagedCopies(whole: Buffer): Generator<Buffer> {
  for (let at = 0; at < whole.length; at++) {
    yield whole.subarray(0, at);
    const changed = Buffer.from(whole);
    changed[at]! ^= 0xff;
    yield changed;
  }
}

/** What `read` makes of a file, 0 where it refuses it by an error of these kinds. */
export function readOrRefused(
  read: (bytes: Buffer) => number,
  bytes: Buffer,
  ...refusals: readonly (new (...args: never[]) => Error)[]
): number {
  try {
    return read(bytes);
  } catch (error) {
    if (!refusals.some((kind) => error instanceof kind)) throw error;
    return 0;
  }
}
