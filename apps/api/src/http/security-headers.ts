/** What browsers are told with every answer: security headers and CORS. */
import helmet from 'helmet';
import type { CorsOptions } from '@nestjs/common/interfaces/external/cors-options.interface.js';
import type { Request, RequestHandler } from 'express';

/** What may be loaded, unless a page needs more. */
const SOURCES: Record<string, string[]> = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:', 'blob:'],
  connectSrc: ["'self'"],
  fontSrc: ["'self'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
  baseUri: ["'none'"],
};

/** The Hugging Face hub, and the hosts that it sends downloads to. */
const HUB = ['https://huggingface.co', 'https://*.huggingface.co', 'https://*.hf.co'];

export interface SecuritySettings {
  CORS_ORIGIN?: readonly string[];
  DEMO_HUB: boolean;
}

/**
 * Security headers. Swagger UI sets styles inline; the demo compiles WebAssembly in workers with shared memory, for which the
 * page has to be isolated, and opens the camera; nothing else may.
 */
export function securityHeaders({ CORS_ORIGIN, DEMO_HUB }: SecuritySettings): RequestHandler {
  const policy = (directives: Record<string, string[]> = {}, isolated = false) =>
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: { ...SOURCES, ...directives } },
      crossOriginEmbedderPolicy: isolated,
      // The service speaks HTTP; TLS and its lifetime belong to the proxy in front.
      strictTransportSecurity: false,
    });
  const everywhere = policy();
  const documentation = policy({ styleSrc: ["'self'", "'unsafe-inline'"] });
  const demo = policy(
    {
      scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
      workerSrc: ["'self'", 'blob:'],
      connectSrc: ["'self'", ...(DEMO_HUB ? HUB : [])],
    },
    true,
  );
  return (request, response, next) => {
    const isDemo = /^\/demo(?:\/|$)/.test(request.path);
    const handler = isDemo ? demo : request.path.startsWith('/docs') ? documentation : everywhere;
    handler(request, response, () => {
      response.setHeader(
        'Permissions-Policy',
        `camera=(${isDemo ? 'self' : ''}), microphone=(), geolocation=()`,
      );
      if (CORS_ORIGIN !== undefined && PICTURE.test(request.path)) {
        response.setHeader('Cross-Origin-Resource-Policy', picturePolicy(request, CORS_ORIGIN));
      }
      next();
    });
  };
}

/** Paths of what `<img>` shows. */
const PICTURE = /^\/images\/[^/]+\/(?:file|thumbnail)$/;

/**
 * Who may show a picture in `<img>`. The header takes no list of sites, and such requests do not say which page they
 * are for: where CORS_ORIGIN names pages of other hosts, any page may show (not read) pictures whose id it knows.
 */
function picturePolicy(request: Request, corsOrigins: readonly string[]): string {
  const { hostname } = request;
  const oneHost = corsOrigins.every((origin) => new URL(origin).hostname === hostname);
  return oneHost ? 'same-site' : 'cross-origin';
}

/** What pages of `origins` may send and read. */
export function corsOptions(origins: readonly string[]): CorsOptions {
  return {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['Content-Type', 'Authorization', 'X-API-Key', 'Range', 'If-Match', 'If-None-Match'],
    exposedHeaders: [
      'Retry-After',
      'X-Request-Id',
      'X-Model',
      'Location',
      'RateLimit',
      'RateLimit-Policy',
      'ETag',
    ],
    maxAge: 600,
  };
}
