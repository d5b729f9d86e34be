/** How the OpenAPI document describes a route's access: the scope it needs, and whether a key must be sent at all. */
import type { AnonymousScope, Need } from '../access/scope.js';

const KEY: Record<string, string[]>[] = [{ apiKey: [] }, { bearer: [] }];
const NO_KEY: Record<string, string[]> = {};

/** Fields of an operation. `security` is as the service is set up: with keys optional where anybody may use the route. */
export function describeAccess(need: Need, anonymous: AnonymousScope): Record<string, unknown> {
  return { 'x-required-scope': need, security: security(need, anonymous) };
}

function security(need: Need, anonymous: AnonymousScope): Record<string, string[]>[] {
  if (need === 'open') return [];
  const isOptional = anonymous === 'admin' || (anonymous === 'read' && need === 'read');
  return isOptional ? [...KEY, NO_KEY] : KEY;
}
