/**
 * What every request passes before its route and before any of its body is read, in this order:
 * the name it was sent to, the site it comes from, the rate of its sender.
 */
import type { Request, RequestHandler, Response } from 'express';
import type { Config } from '../config/config.js';
import { Problem } from '../problems/problem.js';
import { sendProblem } from '../problems/problem.filter.js';
import type { KeyRing } from './api-keys.js';
import { clientOf, identify } from './caller.js';
import { hostCheck } from './host.js';
import { originProblem } from './origin.js';
import { RateLimiter } from './rate-limit.js';
import type { Allowance } from './rate-limit.js';

type AdmissionSettings = Pick<Config, 'HOST' | 'ALLOWED_HOSTS' | 'CORS_ORIGIN' | 'RATE_LIMIT'>;

/** Unknown keys that one address may send a minute. */
const UNKNOWN_KEYS = 20;

/** Health checks count apart, with so many a minute at least, or ten times RATE_LIMIT. */
const MIN_HEALTH_CHECKS = 600;

/** The middleware. */
export function admit(settings: AdmissionSettings, keys: KeyRing): RequestHandler {
  const hostProblem = hostCheck(settings);
  const limits = requestLimits(settings, keys);
  return (request, response, next) => {
    const problem =
      hostProblem(request) ?? originProblem(request, settings.CORS_ORIGIN ?? []) ?? limits(request, response);
    if (problem === undefined) {
      next();
      return;
    }
    // Whatever body follows is not read.
    if (Number(request.headers['content-length'] ?? 0) > 0 || 'transfer-encoding' in request.headers)
      response.setHeader('Connection', 'close');
    sendProblem(request, response, problem);
  };
}

function requestLimits(settings: AdmissionSettings, keys: KeyRing) {
  const requests = settings.RATE_LIMIT === 0 ? undefined : new RateLimiter(settings.RATE_LIMIT);
  const healthChecks = requests && new RateLimiter(Math.max(MIN_HEALTH_CHECKS, 10 * requests.perMinute));
  const unknownKeys = new RateLimiter(UNKNOWN_KEYS);
  return (request: Request, response: Response): Problem | undefined => {
    const { address, unknownKey } = identify(request, keys);
    if (unknownKey) {
      const tried = unknownKeys.take(address);
      if (!tried.allowed) return tooMany('unknown keys', UNKNOWN_KEYS, tried);
    }
    const isHealthCheck = request.path === '/healthz' || request.path === '/readyz';
    const limit = isHealthCheck ? healthChecks : requests;
    if (limit === undefined) return undefined;
    const allowance = limit.take(clientOf(request));
    if (!isHealthCheck) announce(response, limit.perMinute, allowance);
    return allowance.allowed ? undefined : tooMany('requests', limit.perMinute, allowance);
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
