/**
 * Seeded random numbers in plain JavaScript: the same seed gives the same bytes on every backend.
 * The generator is sfc32 (Chris Doty-Humphrey's "small fast counter"), seeded by FNV-1a over a key.
 */

/** A stream of uniform numbers in [0, 1), a function of (seed, key). */
export function uniformStream(seed: number, key: string): () => number {
  let a = hash(`${seed}/a/${key}`);
  let b = hash(`${seed}/b/${key}`);
  let c = hash(`${seed}/c/${key}`);
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4294967296;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

/** A stream of standard normal numbers (Box & Muller 1958). */
export function normalStream(uniform: () => number): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value | 0;
}
