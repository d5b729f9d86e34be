/**
 * What every request passes before its route and before any of its body is read, in this order:
 * the name it was sent to, the site it comes from, the rate of its sender.
 */
import type { Request, RequestHandler, Response } from 'express';
import { basePathOf } from '../base-path-of.js';
import type { Config } from '../config/config.js';
import { Problem } from '../problems/problem.js';
import { sendProblem } from '../problems/problem.filter.js';
import type { KeyRing } from './api-keys.js';
import { clientOf, identify } from './caller.js';
import { hostCheck } from './host.js';
import { originProblem } from './origin.js';
import { RateLimiter } from './rate-limit.js';
import type { Allowance } from './rate-limit.js';
import { RefusedClients } from './refused-clients.js';

type AdmissionSettings = Pick<Config, 'HOST' | 'ALLOWED_HOSTS' | 'CORS_ORIGIN' | 'RATE_LIMIT'>;

/** Unknown keys that one address may send a minute. */
const UNKNOWN_KEYS = 20;

/** Health checks count apart, with at least this many a minute, or ten times RATE_LIMIT. */
const MIN_HEALTH_CHECKS = 600;

/** The middleware; `repeat` runs before everything that costs something, `admit` when the request has an id. */
export function admission(
  settings: AdmissionSettings,
  keys: KeyRing,
): { repeat: RequestHandler; admit: RequestHandler } {
  const hostProblem = hostCheck(settings);
  const refused = new RefusedClients();
  const limits = requestLimits(settings, keys, refused);
  const origins = settings.CORS_ORIGIN ?? [];
  return {
    repeat: (request, response, next) => {
      const problem = isCounted(request, origins) ? refused.get(nameOf(request, keys)) : undefined;
      if (problem === undefined) next();
      else refuseAgain(request, response, problem, origins);
    },
    admit: (request, response, next) => {
      const problem = hostProblem(request) ?? originProblem(request, origins) ?? limits(request, response);
      if (problem === undefined) {
        next();
        return;
      }
      // Whatever body follows is not read.
      if (Number(request.headers['content-length'] ?? 0) > 0 || 'transfer-encoding' in request.headers)
        response.setHeader('Connection', 'close');
      sendProblem(request, response, problem);
    },
  };
}

/** Health checks have a limit of their own, and preflights of other sites' pages none. */
function isCounted(request: Request, origins: readonly string[]): boolean {
  return !isHealthCheck(request) && !(request.method === 'OPTIONS' && origins.length > 0);
}

function isHealthCheck({ path }: Request): boolean {
  return path === '/healthz' || path === '/readyz';
}

/** Who is refused again: a client, or an address that tries keys. */
function nameOf(request: Request, keys: KeyRing): string {
  const { address, unknownKey } = identify(request, keys);
  return unknownKey ? `unknown key ${address}` : clientOf(request);
}

function refuseAgain(
  request: Request,
  response: Response,
  problem: Problem,
  origins: readonly string[],
): void {
  const body = JSON.stringify(problem.toBody(request.path, basePathOf(request)));
  const { origin = '' } = request.headers;
  response.writeHead(problem.status, {
    'Content-Type': 'application/problem+json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'Retry-After': String(problem.retryAfter),
    ...(origins.includes(origin) && {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Expose-Headers': 'Retry-After',
      Vary: 'Origin',
    }),
  });
  response.end(body);
}

function requestLimits(settings: AdmissionSettings, keys: KeyRing, refused: RefusedClients) {
  const requests = settings.RATE_LIMIT === 0 ? undefined : new RateLimiter(settings.RATE_LIMIT);
  const healthChecks = requests && new RateLimiter(Math.max(MIN_HEALTH_CHECKS, 10 * requests.perMinute));
  const unknownKeys = new RateLimiter(UNKNOWN_KEYS);
  const refuse = (request: Request, problem: Problem) => {
    refused.add(nameOf(request, keys), problem);
    return problem;
  };
  return (request: Request, response: Response): Problem | undefined => {
    const { address, unknownKey } = identify(request, keys);
    if (unknownKey) {
      const tried = unknownKeys.take(address);
      if (!tried.allowed) return refuse(request, tooMany('unknown keys', UNKNOWN_KEYS, tried));
    }
    const limit = isHealthCheck(request) ? healthChecks : requests;
    if (limit === undefined) return undefined;
    const allowance = limit.take(clientOf(request));
    if (limit !== healthChecks) announce(response, limit.perMinute, allowance);
    if (allowance.allowed) return undefined;
    const problem = tooMany('requests', limit.perMinute, allowance);
    return limit === healthChecks ? problem : refuse(request, problem);
  };
}

function tooMany(what: string, perMinute: number, { retryAfter }: Allowance): Problem {
  return new Problem(
    'rate_limited',
    `At most ${perMinute} ${what} a minute are allowed. Try again in ${retryAfter} s.`,
    { retryAfter },
  );
}

/** The fields of draft-ietf-httpapi-ratelimit-headers-10. */
function announce(response: Response, perMinute: number, { remaining, reset }: Allowance): void {
  response.setHeader('RateLimit-Policy', `"requests";q=${perMinute};w=60`);
  response.setHeader('RateLimit', `"requests";r=${remaining};t=${reset}`);
}
