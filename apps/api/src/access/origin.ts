/**
 * Whether a request comes from a page of another site. A service on 127.0.0.1, or one in a company's network, is within
 * reach of every page that its users open, so a page may only send what changes or computes something when it is the
 * service's own or CORS_ORIGIN names it.
 *
 * 1. `Origin` decides: browsers send it with every request but GET and HEAD, pages cannot change it, and `null` (files,
 *    sandboxed frames, redirects) is nobody's own.
 * 2. `Sec-Fetch-Site`, which browsers send to https and localhost, is believed too where it says another site.
 * 3. Without both it is no browser: curl, servers. Those are judged by their key alone.
 */
import type { Request } from 'express';
import { Problem } from '../problems/problem.js';

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** The reason to refuse the request, or undefined. */
export function originProblem(request: Request, allowed: readonly string[]): Problem | undefined {
  if (SAFE_METHODS.includes(request.method)) return undefined;
  const origin = request.get('origin');
  if (origin !== undefined && allowed.includes(origin)) return undefined;
  if (origin !== undefined && origin !== ownOrigin(request)) {
    return new Problem(
      'cross_site_request',
      `The request comes from a page of ${printable(origin)}, which is neither this service (${printable(ownOrigin(request))}) ` +
        'nor listed in CORS_ORIGIN. Behind a proxy, TRUST_PROXY lets the service know its public address.',
    );
  }
  if (['cross-site', 'same-site'].includes(request.get('sec-fetch-site') ?? '')) {
    return new Problem('cross_site_request', 'The request comes from a page of another site.');
  }
  return undefined;
}

/** Scheme, name and port of the service as the client sees them, in the form of an Origin header. */
function ownOrigin(request: Request): string {
  const address = `${request.protocol}://${request.host ?? ''}`;
  return URL.canParse(address) ? new URL(address).origin : address;
}

function printable(text: string): string {
  return text.slice(0, 200);
}
