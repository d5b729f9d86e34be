import { cleanText } from '../../text/clean-text.js';

/** The last part of a path, printable, at most 255 characters; null when nothing is left. */
export function cleanFileName(name: string): string | null {
  const base = name.split(/[\\/]/).at(-1) ?? '';
  const printable = base.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').trim();
  return printable === '' ? null : cleanText(printable.slice(0, 255));
}
