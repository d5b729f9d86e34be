/**
 * Which names the service answers to. A page whose own name an attacker points at this machine (DNS rebinding) is of
 * the same origin as the service in the eyes of the browser; only the name in `Host` gives it away.
 *
 * 1. Bound to a loopback address, the service answers to loopback names, and to ALLOWED_HOSTS for a proxy beside it.
 * 2. Bound to any other address, it answers to ALLOWED_HOSTS. Without that setting it answers to IP addresses, loopback
 *    names and the machine's own name, none of which an attacker can point anywhere.
 * 3. HTTP/1.1 has exactly one Host, and a valid one (RFC 9112, section 3.2); a request without it is malformed.
 * 4. On such an address the health checks answer under any name: load balancers ask by address or by no name at all.
 */
import { hostname } from 'node:os';
import { isIPv4 } from 'node:net';
import type { Request } from 'express';
import { Problem } from '../problems/problem.js';

export interface HostSettings {
  HOST: string;
  ALLOWED_HOSTS?: readonly string[];
}

const HEALTH_CHECKS = ['/healthz', '/readyz'];
/** A name or address with an optional port; what a URL may have as its authority, without a user. */
const AUTHORITY = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253})(?::(\d{1,5}))?$/;

/** The check of one request: the reason to refuse it, or undefined. */
export function hostCheck(settings: HostSettings): (request: Request) => Problem | undefined {
  const onLoopback = isLoopbackName(normaliseName(settings.HOST) ?? settings.HOST);
  const isAllowed = allowedNames(settings, onLoopback);
  return (request) => {
    if (!onLoopback && HEALTH_CHECKS.includes(request.path)) return undefined;
    const hosts = [...(request.headersDistinct.host ?? [])];
    if (hosts.length !== 1) {
      const detail = `Expected one Host header, found ${hosts.length}.`;
      // HTTP/1.0 knows none, so that one without it is well-formed.
      return hosts.length === 0 && request.httpVersion === '1.0' ? refused(detail) : malformed(detail);
    }
    const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(request.url)?.[1];
    const names = [request.host ?? '', ...(absolute === undefined ? [] : [absolute])];
    for (const host of names) {
      const name = normaliseName(host);
      if (name === undefined) return malformed('The Host header is not a name or an address.');
      if (!isAllowed(name)) {
        return refused(
          `The service does not answer to the name ${name}. ALLOWED_HOSTS lists the names it answers to.`,
        );
      }
    }
    return undefined;
  };
}

function refused(detail: string): Problem {
  return new Problem('host_not_allowed', detail);
}

function malformed(detail: string): Problem {
  return new Problem('malformed_request', detail);
}

function allowedNames(settings: HostSettings, onLoopback: boolean): (name: string) => boolean {
  const { ALLOWED_HOSTS: allowed } = settings;
  const listed = (name: string) => (allowed ?? []).some((pattern) => matches(name, pattern));
  if (onLoopback) return (name) => isLoopbackName(name) || listed(name);
  if (allowed !== undefined) return listed;
  const own = hostname().toLowerCase();
  return (name) => isLoopbackName(name) || isIPv4(name) || name.startsWith('[') || name === own;
}

/** A pattern of ALLOWED_HOSTS: `name`, `*.name` (its sub-domains, not itself), or `*`. */
function matches(name: string, pattern: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

/** Lower case, without port and final dot, IPv6 in its short form in brackets; undefined when it is not a host. */
export function normaliseName(host: string): string | undefined {
  const bare = host.includes(':') && !host.includes('[') && host.split(':').length > 2 ? `[${host}]` : host;
  const [, name = '', port] = AUTHORITY.exec(bare.toLowerCase()) ?? [];
  if (name === '' || Number(port ?? 0) > 65_535) return undefined;
  if (name.startsWith('['))
    return URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : undefined;
  const plain = name.replace(/\.$/, '');
  return plain === '' || plain.startsWith('.') || plain.includes('..') ? undefined : plain;
}

/** 127.0.0.0/8, ::1, localhost and what is below it (RFC 6761 section 6.3). */
export function isLoopbackName(name: string): boolean {
  if (isIPv4(name)) return name.startsWith('127.');
  return name === '[::1]' || name === 'localhost' || name.endsWith('.localhost');
}
