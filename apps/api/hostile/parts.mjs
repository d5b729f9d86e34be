/** What hostile requests are made of. */

/** @typedef {import('./wire.mjs').Exchange} Exchange */
/** @typedef {{ name: string, send: () => Exchange[] | Promise<Exchange[]> }} Hostile */

export const MIB = 1024 * 1024;
/** The headers of a form part that is a PNG file, after its name. */
export const IMAGE = '; filename="a.png"\r\nContent-Type: image/png';

/** A PNG of one pixel. */
export const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);
/** @param {string} name @param {() => Exchange | Exchange[] | Promise<Exchange | Exchange[]>} send @returns {Hostile} */
export const hostile = (name, send) => ({ name, send: async () => [await send()].flat() });

/** @param {number} count @param {(n: number) => string} text */
export const texts = (count, text) => Array.from({ length: count }, (_, n) => text(n));

/** @param {string} text */
export function bytes(text) {
  return Buffer.from(text, 'latin1');
}
