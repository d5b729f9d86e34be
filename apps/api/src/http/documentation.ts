/**
 * The API's documentation: the OpenAPI document, made when it is first asked for, and Swagger UI, which shows it. The page
 * that @nestjs/swagger makes finds its files only at some of its addresses and lacks a viewport, so that phones show it in
 * the width of a desk; the files themselves are Swagger UI's.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { RequestHandler } from 'express';

const SWAGGER_UI_FOLDER = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const ADDRESSES = ['/docs', '/docs/', '/docs/index.html'];
const SCRIPT_ADDRESS = '/docs/swagger-ui-init.js';

const page = (basePath: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>CLIP service: API</title>
    <link rel="icon" href="${basePath}/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="${basePath}/docs/swagger-ui.css" />
    <style>
      body { margin: 0; background: #fafafa; }
      .swagger-ui .topbar { display: none; }
      @media (max-width: 680px) {
        .swagger-ui .wrapper { padding: 0 10px; }
        .swagger-ui .opblock .opblock-summary { flex-wrap: wrap; }
        .swagger-ui .opblock .opblock-summary-path { max-width: none; }
        .swagger-ui table:not(.model) { display: block; overflow-x: auto; }
        .swagger-ui .parameters-col_description input,
        .swagger-ui .parameters-col_description select { max-width: 100%; }
      }
    </style>
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${basePath}/docs/swagger-ui-bundle.js"></script>
    <script src="${basePath}/docs/swagger-ui-standalone-preset.js"></script>
    <script src="${basePath}/docs/swagger-ui-init.js"></script>
  </body>
</html>
`;

const script = (basePath: string) => `window.onload = () => {
  SwaggerUIBundle({
    url: '${basePath}/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: 'StandaloneLayout',
  });
};
`;

/** Serves /openapi.json and the page under /docs. @param basePath prefix of all paths of the service */
export function serveDocumentation(
  app: NestExpressApplication,
  basePath: string,
  make: () => Promise<OpenAPIObject>,
): void {
  let document: Promise<OpenAPIObject> | undefined;
  app.use(documentationPage(basePath));
  app.useStaticAssets(SWAGGER_UI_FOLDER, { prefix: '/docs/', index: false, maxAge: 0, redirect: false });
  app
    .getHttpAdapter()
    .getInstance()
    .get('/openapi.json', async (_request, response) => {
      document ??= make();
      response.json(await document);
    });
}

/** Answers the addresses of the page, whatever their query, and of the script that starts it. */
function documentationPage(basePath: string): RequestHandler {
  const [html, start] = [page(basePath), script(basePath)];
  return (request, response, next) => {
    const isScript = request.path === SCRIPT_ADDRESS;
    if ((!isScript && !ADDRESSES.includes(request.path)) || !['GET', 'HEAD'].includes(request.method)) {
      next();
      return;
    }
    response.type(isScript ? 'js' : 'html').setHeader('Cache-Control', 'no-cache');
    response.send(isScript ? start : html);
  };
}
