/**
 * Base64 as clients send it: the standard alphabet or the one for URLs (RFC 4648, sections 4 and 5), with or without
 * padding, broken into lines or not, alone or in a `data:` URL with any parameters (RFC 2397). Every step takes time
 * in proportion to the length of the text.
 */

const ALPHABET = /^[A-Za-z0-9+/_\-\t-\r ]*$/;
/** A media type with its parameters is far shorter; a longer text before the comma is no `data:` URL. */
const MAX_HEADER = 1000;

/** The bytes, or undefined when the text is not base64 of at least one byte. */
export function decodeBase64(given: string): Buffer | undefined {
  const body = withoutHeader(given);
  if (body === undefined) return undefined;
  const text = body.slice(0, endOfSymbols(body));
  if (!ALPHABET.test(text)) return undefined;
  // Whitespace is passed over in decoding. One symbol alone holds 6 bits, which is no byte.
  return text === '' || countSymbols(text) % 4 === 1 ? undefined : Buffer.from(text, 'base64');
}

/** Characters that are not whitespace, in a text of {@link ALPHABET}. */
function countSymbols(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) if (!isWhitespace(text.charCodeAt(i))) count++;
  return count;
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** What follows the comma of a `data:` URL; any other text as it is. */
function withoutHeader(text: string): string | undefined {
  const start = text.slice(0, MAX_HEADER).trimStart();
  if (!/^data:/i.test(start)) return text;
  const comma = text.slice(0, MAX_HEADER).indexOf(',');
  if (comma === -1 || !/;\s*base64\s*$/i.test(text.slice(comma - 20 < 0 ? 0 : comma - 20, comma)))
    return undefined;
  const body = text.slice(comma + 1);
  if (!body.includes('%')) return body;
  try {
    return decodeURIComponent(body);
  } catch {
    return undefined;
  }
}

/** Where padding and whitespace at the end begin. */
function endOfSymbols(text: string): number {
  let end = text.length;
  while (end > 0 && (text[end - 1] === '=' || isWhitespace(text.charCodeAt(end - 1)))) end--;
  return end;
}
