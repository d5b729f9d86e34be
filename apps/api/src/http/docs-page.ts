/**
 * The page of Swagger UI. The one that @nestjs/swagger makes finds its files only at some of its addresses and lacks
 * a viewport, so that phones show it in the width of a desk; the files themselves are Swagger UI's.
 */
import type { RequestHandler } from 'express';

const ADDRESSES = ['/docs', '/docs/', '/docs/index.html'];

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>CLIP service: API</title>
    <link rel="icon" href="/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
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
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/swagger-ui-standalone-preset.js"></script>
    <script src="/docs/swagger-ui-init.js"></script>
  </body>
</html>
`;

/** Answers the addresses of the documentation with the page, whatever their query. */
export function documentationPage(): RequestHandler {
  return (request, response, next) => {
    if (!ADDRESSES.includes(request.path) || !['GET', 'HEAD'].includes(request.method)) {
      next();
      return;
    }
    response.type('html').setHeader('Cache-Control', 'no-cache');
    response.send(PAGE);
  };
}
