/**
 * Who sends a request: the holder of a key, a client without one, or one with an unknown key. Found once for each
 * request, before anything of its body is read.
 */
import { isIP, isIPv6 } from 'node:net';
import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import type { KeyRing } from './api-keys.js';
import type { Scope } from './scope.js';

export interface Caller {
  /** Normalised address of the client; see {@link clientAddress}. */
  address: string;
  /** The known key that came with the request. */
  key?: { name: string; scope: Scope };
  /** Something that claims to be a key came with the request, but it is not a key of this service. */
  unknownKey: boolean;
}

const callers = new WeakMap<IncomingMessage, Caller>();

/** The caller of a request, looked up at the first call. A key in the address is never looked at. */
export function identify(request: Request, keys: KeyRing): Caller {
  const known = callers.get(request);
  if (known !== undefined) return known;
  const text = presentedKey(request);
  const key = text === undefined ? undefined : keys.find(text);
  const caller: Caller = {
    address: clientAddress(request),
    ...(key !== undefined && { key: { name: key.name, scope: key.scope } }),
    unknownKey: text !== undefined && key === undefined && !keys.isEmpty,
  };
  callers.set(request, caller);
  return caller;
}

/** What limits count by: the name of the key, or the address without one. For requests that were identified before. */
export function clientOf(request: Request): string {
  const caller = callers.get(request);
  if (caller === undefined) throw new Error('the request was not identified');
  return caller.key === undefined ? caller.address : `key ${caller.key.name}`;
}

/**
 * The key in `Authorization: Bearer KEY` or `X-API-Key: KEY`. Two that differ, or a header that comes twice, give ''
 * (which is no key): a proxy might have judged by the other one. Other schemes of Authorization are not for us.
 */
function presentedKey(request: Request): string | undefined {
  const authorization = request.headersDistinct.authorization ?? [];
  const direct = request.headersDistinct['x-api-key'] ?? [];
  const bearer = authorization.filter((value) => /^bearer(?: |$)/i.test(value));
  const given = [...bearer.map((value) => value.slice('bearer'.length).trim()), ...direct];
  if (given.length === 0) return undefined;
  const [first = ''] = given;
  return authorization.length <= 1 && given.every((key) => key === first) ? first : '';
}

/**
 * The address that limits count by: IPv4 as it is (also when written as IPv6), IPv6 by its /64, which is what one
 * subscriber has. Forwarded addresses are used as far as TRUST_PROXY trusts who wrote them.
 */
function clientAddress(request: Request): string {
  const forwarded = withoutPort(request.ip ?? '');
  return normaliseAddress(isIP(forwarded) === 0 ? (request.socket.remoteAddress ?? '') : forwarded);
}

/** Some proxies write the port too: 192.0.2.1:1234, [2001:db8::1]:1234. */
function withoutPort(address: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address;
}

export function normaliseAddress(address: string): string {
  const plain = address.split('%', 1)[0] ?? '';
  if (!isIPv6(plain)) return plain;
  const [left = '', right] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::');
  const start = left === '' ? [] : left.split(':');
  const end = right === undefined || right === '' ? [] : right.split(':');
  const groups = [...start, ...new Array<string>(8 - start.length - end.length).fill('0'), ...end];
  if (groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff') {
    const [high, low] = groups.slice(6).map((group) => parseInt(group, 16)) as [number, number];
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
