/** What every request passes before it reaches a route: measuring, security headers, size and rate limits. */
import helmet from 'helmet';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { Counter, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { Problem } from '../problems/problem.js';
import { sendProblem } from '../problems/problem.filter.js';

/** Counts requests and their times by route pattern, so that ids in paths do not multiply the series. */
export function measureRequests(metrics: Registry): RequestHandler {
  const requests = new Counter({
    name: 'http_requests_total',
    help: 'Requests answered.',
    labelNames: ['method', 'route', 'status'],
    registers: [metrics],
  });
  const seconds = new Histogram({
    name: 'http_request_seconds',
    help: 'Time to answer.',
    labelNames: ['method', 'route'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers: [metrics],
  });
  return (request, response, next) => {
    const start = performance.now();
    response.once('close', () => {
      const route = routePattern(request);
      const labels = { method: request.method, route };
      requests.inc({ ...labels, status: response.statusCode });
      seconds.observe(labels, (performance.now() - start) / 1000);
    });
    next();
  };
}

function routePattern(request: Request): string {
  const route: unknown = request.route;
  const path = typeof route === 'object' && route !== null && 'path' in route ? route.path : undefined;
  return typeof path === 'string' ? path : 'other';
}

/** Security headers. Swagger UI sets styles inline; nothing else may. */
export function securityHeaders(): RequestHandler {
  const policy = (styles: string[]) =>
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: styles,
          imgSrc: ["'self'", 'data:', 'blob:'],
          connectSrc: ["'self'"],
          fontSrc: ["'self'"],
          formAction: ["'self'"],
          frameAncestors: ["'none'"],
          baseUri: ["'none'"],
        },
      },
      // The service speaks HTTP; TLS and its lifetime belong to the proxy in front.
      strictTransportSecurity: false,
    });
  const everywhere = policy(["'self'"]);
  const documentation = policy(["'self'", "'unsafe-inline'"]);
  return (request, response, next) => {
    const handler = request.path.startsWith('/docs') ? documentation : everywhere;
    handler(request, response, next);
  };
}

/** Refuses bodies that announce more bytes than allowed, before any of it is read. */
export function limitBody(maxBytes: number): RequestHandler {
  return (request, response, next) => {
    const length = Number(request.headers['content-length'] ?? 0);
    if (length <= maxBytes) {
      next();
      return;
    }
    response.setHeader('Connection', 'close');
    sendProblem(
      request,
      response,
      new Problem('request_too_large', `The body has ${length} bytes; at most ${maxBytes} are accepted.`),
    );
  };
}

/** Addresses that the limiter remembers; when there are more, it forgets the longest unseen. */
const MAX_CLIENTS = 10_000;

/** Token bucket for each client address: `perMinute` requests a minute, as many at once. Health checks are free. */
export function limitRate(perMinute: number, now: () => number = Date.now): RequestHandler {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (request: Request, response: Response, next: NextFunction) => {
    if (request.path === '/healthz' || request.path === '/readyz') {
      next();
      return;
    }
    const client = request.ip ?? '';
    const time = now();
    const bucket = buckets.get(client) ?? { tokens: perMinute, at: time };
    const tokens = Math.min(perMinute, bucket.tokens + ((time - bucket.at) * perMinute) / 60_000);
    buckets.delete(client);
    buckets.set(client, { tokens: Math.max(0, tokens - 1), at: time });
    if (buckets.size > MAX_CLIENTS) {
      const oldest = buckets.keys().next();
      if (!oldest.done) buckets.delete(oldest.value);
    }
    if (tokens >= 1) {
      next();
      return;
    }
    const retryAfter = Math.ceil(((1 - tokens) * 60) / perMinute);
    const detail = `At most ${perMinute} requests a minute are allowed. Try again in ${retryAfter} s.`;
    sendProblem(request, response, new Problem('rate_limited', detail, { retryAfter }));
  };
}
