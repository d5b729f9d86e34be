/** What the text of a setting may look like: numbers, folders, lists, names of hosts, paths, origins, addresses of proxies. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';

/** A whole number in a range, from its decimal text. */
export const count = (minimum: number, maximum: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'expected a whole number')
    .default(String(fallback))
    .transform(Number)
    .pipe(z.number().min(minimum).max(maximum));

export const folder = z.string().transform((path) => resolve(path));

/** The parts of a text between commas. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** A name, a name with `*.` before it, `*`, or an address (IPv6 in brackets). */
export const HOST_PATTERN = /^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])$/;

/** Segments that browsers and proxies leave as they are; no `.` or `..`, which would name another folder. */
export const BASE_PATH_PATTERN = /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*$/;

export function isOrigin(text: string): boolean {
  const { origin, href } = new URL(text);
  return href === `${origin}/`;
}

/** An address, a subnet, or a name that Express knows (loopback, linklocal, uniquelocal). */
export function isProxyAddress(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    prefix === undefined ||
    (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128) && Number(prefix) > 0)
  );
}
