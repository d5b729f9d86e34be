/**
 * Answers requests with a method that their path does not take: 405 with `Allow` (RFC 9110, section 15.5.6), and
 * OPTIONS with `Allow`. What a path takes is read from the routes themselves; files are read only.
 */
import { readdirSync } from 'node:fs';
import { sep } from 'node:path';
import type { RequestHandler } from 'express';
import { Problem } from '../problems/problem.js';
import { sendProblem } from '../problems/problem.filter.js';

/** What Express keeps of a route. */
interface Layer {
  route?: { methods: Record<string, boolean> };
  match: (path: string) => unknown;
}
interface Routed {
  router: { stack: unknown[] };
}

const READING = ['GET', 'HEAD'];

/** The middleware; `files` is the folder of the web page. Routes may be added until the first request. */
export function refuseOtherMethods(express: Routed, files: string): RequestHandler {
  const names = readdirSync(files, { recursive: true, encoding: 'utf8' }).map((name) =>
    name.replaceAll(sep, '/'),
  );
  const pages = new Set(['/', '/docs', '/demo/', ...names.map((name) => `/${name}`)]);
  let layers: Layer[] | undefined;
  const methodsOf = (path: string): string[] => {
    layers ??= (express.router.stack as Layer[]).filter(({ route }) => route !== undefined);
    const methods = new Set(pages.has(path) || path.startsWith('/docs/') ? READING : []);
    for (const layer of layers) {
      if (!matches(layer, path)) continue;
      for (const [method, isTaken] of Object.entries(layer.route?.methods ?? {})) {
        if (isTaken) methods.add(method.toUpperCase());
      }
    }
    if (methods.has('GET')) methods.add('HEAD');
    return [...methods].sort();
  };
  return (request, response, next) => {
    const methods = methodsOf(request.path);
    if (methods.length === 0 || methods.includes(request.method)) {
      next();
      return;
    }
    response.setHeader('Allow', [...methods, 'OPTIONS'].join(', '));
    if (request.method === 'OPTIONS') {
      response.status(204).end();
      return;
    }
    const detail = `${request.path} takes ${methods.join(', ')}, not ${request.method}.`;
    sendProblem(request, response, new Problem('method_not_allowed', detail));
  };
}

/** A path that cannot be decoded matches nothing; its route says so. */
function matches(layer: Layer, path: string): boolean {
  try {
    return Boolean(layer.match(path));
  } catch {
    return false;
  }
}
