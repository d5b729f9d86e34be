/** The HTTP application: middleware, routes, documentation, web page. */
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Registry } from 'prom-client';
import { anonymousScope } from './access/access.guard.js';
import { admission } from './access/admission.js';
import { AppModule } from './app.module.js';
import type { Resources } from './app.module.js';
import { demoLibraries } from './demo/demo-libraries.js';
import { redirectToPage, refuseTakenPath } from './http/base-path.js';
import { BASE_PATH_SETTING } from './base-path-of.js';
import { serveDocumentation } from './http/documentation.js';
import { refuseOtherMethods } from './http/methods.js';
import { openApiDocument } from './http/openapi.js';
import { limitRequests } from './http/server/request-limit.js';
import { LimitedExpressAdapter } from './http/server/http-server.js';
import { measureRequests } from './http/request-metrics.js';
import { corsOptions, securityHeaders } from './http/security-headers.js';
import { pageFiles } from './http/page-files.js';
import { parseQuery } from './http/query.js';
import { closeUnreadBodies } from './http/server/unread-body.js';
import { logRequests } from './logging/access-log.js';
import { NestLogger } from './logging/nest-logger.js';
import { PAGE_FOLDER } from './program-folders.js';
import { METRICS } from './providers.js';

const VERSION = '0.1.0';

/** Builds the application; `listen` starts it, `close` ends it. The resources stay the caller's. */
export async function createApp(resources: Resources): Promise<NestExpressApplication> {
  const { config, keys, logger } = resources;
  const { BASE_PATH } = config;
  const adapter = new LimitedExpressAdapter(config.MAX_CONNECTIONS, BASE_PATH);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.on(resources), adapter, {
    bodyParser: false,
    abortOnError: false,
    logger: new NestLogger(logger),
  });
  app.disable('x-powered-by');
  app.set('trust proxy', config.TRUST_PROXY);
  app.set('query parser', parseQuery);
  app.set(BASE_PATH_SETTING, BASE_PATH);
  const { repeat, admit } = admission(config, keys);
  app.use(closeUnreadBodies());
  app.use(measureRequests(app.get<Registry>(METRICS)));
  app.use(repeat);
  app.use(logRequests(logger, config.TRUST_PROXY !== false));
  app.use(securityHeaders(config));
  if (config.CORS_ORIGIN !== undefined) app.enableCors(corsOptions(config.CORS_ORIGIN));
  app.use(admit);
  app.use(limitRequests(config.MAX_REQUESTS));
  app.use(refuseOtherMethods(app.getHttpAdapter().getInstance(), PAGE_FOLDER));
  app.use(pageFiles(PAGE_FOLDER));
  app.use(demoLibraries());
  redirectToPage(app, BASE_PATH);
  serveDocumentation(app, BASE_PATH, () =>
    openApiDocument(app, config, VERSION, anonymousScope(config, keys)),
  );
  await refuseTakenPath(app, BASE_PATH, PAGE_FOLDER);
  return app;
}
