/** What a key may do, and what a route needs. Each scope includes those before it. */
import { SetMetadata } from '@nestjs/common';

/** read: everything that changes nothing; write: change the collection; admin: original files, imports from disk, models. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** What a route needs: a scope, or nothing at all (health checks). */
export type Need = 'open' | Scope;

/** What a request without a key may do; undefined: nothing but the health checks. */
export type AnonymousScope = 'admin' | 'read' | undefined;

const NEED = 'clip:need';

/** Declares what a route needs. Routes that declare nothing need `read`. */
export const Access = (need: Need) => SetMetadata(NEED, need);

/** What the handler of a route declares. */
export function needOf(handler: object): Need {
  return (Reflect.getMetadata(NEED, handler) as Need | undefined) ?? 'read';
}

/** True when who holds `held` may do what needs `need`. */
export function covers(held: Scope, need: Need): boolean {
  return need === 'open' || SCOPES.indexOf(held) >= SCOPES.indexOf(need);
}
