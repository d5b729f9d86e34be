/** The metrics of requests. */
import type { Request, RequestHandler } from 'express';
import { Counter, Histogram, type Registry } from 'prom-client';

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
