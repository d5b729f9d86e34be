/**
 * The service below a path of its host (BASE_PATH), behind a proxy that gives other paths to other services. Some
 * proxies pass the path on as it came, others take the prefix off: both are understood, and every address in an
 * answer carries the prefix.
 */
import { readdirSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { StartError } from '../start-error.js';

/** Takes the prefix off the addresses of requests that carry it, before anything looks at them. */
export function belowBasePath(basePath: string, listener: RequestListener): RequestListener {
  if (basePath === '') return listener;
  return (request, response) => {
    const { url = '' } = request;
    if (url.startsWith(`${basePath}/`)) request.url = url.slice(basePath.length);
    listener(request, response);
  };
}

/** Sends who asks for the prefix itself to the page, whose links are relative to the slash at its end. */
export function redirectToPage(app: NestExpressApplication, basePath: string): void {
  if (basePath === '') return;
  app
    .getHttpAdapter()
    .getInstance()
    .get(basePath, (request, response) => {
      const query = request.originalUrl.slice(request.path.length);
      response.redirect(308, `${basePath}/${query}`);
    });
}

/**
 * Refuses a prefix whose first part is an address of the service: whether a proxy has taken it off could not be told.
 * @param files folder of the web page
 * @throws StartError
 */
export async function refuseTakenPath(
  app: NestExpressApplication,
  basePath: string,
  files: string,
): Promise<void> {
  if (basePath === '') return;
  await app.init();
  const { router } = app.getHttpAdapter().getInstance() as unknown as {
    router: { stack: { route?: { path: unknown } }[] };
  };
  const paths = router.stack.flatMap(({ route }) => (typeof route?.path === 'string' ? [route.path] : []));
  const taken = [
    ...paths.filter((path) => path !== basePath),
    ...readdirSync(files).map((name) => `/${name}`),
    '/docs',
  ];
  const first = firstPart(basePath);
  if (!taken.some((path) => firstPart(path) === first)) return;
  throw new StartError(
    `BASE_PATH: expected another path than ${basePath}, since /${first} is an address of the service itself.`,
  );
}

const firstPart = (path: string): string => path.split('/')[1] ?? '';
