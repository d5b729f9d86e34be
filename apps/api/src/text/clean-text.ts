/**
 * The one way by which text reaches the database and the tokenizer.
 *
 * JavaScript strings may hold half of a surrogate pair (`"\ud83d"` in JSON, or an emoji cut in the middle), which
 * UTF-8 cannot express and PostgreSQL refuses, as it does NUL. Both become U+FFFD, the replacement character, which is
 * what decoders put in the place of bytes that are no text.
 */

/** The text with U+FFFD in the place of lone surrogates and NUL; same length. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** {@link cleanText} of every text in a value of arrays and plain objects; anything else stays as it is. */
export function cleanTexts<T>(value: T): T {
  if (typeof value === 'string') return cleanText(value) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => cleanTexts(one)) as T;
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, cleanTexts<unknown>(one)]),
  ) as T;
}
