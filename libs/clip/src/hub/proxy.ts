/** Requests to the hub go through the proxy that the environment names, as those of curl and Python do. */
import { ClipError } from '../errors.js';

/**
 * Node's own fetch, or one that honours HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case.
 * @throws ClipError HUB_UNREACHABLE when the address of a proxy cannot be used
 */
export async function proxiedFetch(env: NodeJS.ProcessEnv): Promise<typeof fetch> {
  const httpProxy = env.http_proxy || env.HTTP_PROXY || undefined;
  const httpsProxy = env.https_proxy || env.HTTPS_PROXY || undefined;
  if (httpProxy === undefined && httpsProxy === undefined) return fetch;
  for (const address of [httpProxy, httpsProxy]) requireProxyAddress(address);
  // Loaded only now: most machines have no proxy.
  const undici = await import('undici');
  // Node 20 ignores these variables, and its fetch takes no agent of a library.
  const dispatcher = new undici.EnvHttpProxyAgent({
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? '',
    noProxy: env.no_proxy || env.NO_PROXY || '',
  });
  const through = (input: string | URL, init?: object) => undici.fetch(input, { ...init, dispatcher });
  return through as unknown as typeof fetch;
}

/** The address itself is not shown: it may hold a password. */
function requireProxyAddress(address: string | undefined): void {
  if (address === undefined) return;
  const protocol = URL.canParse(address) ? new URL(address).protocol : 'no URL';
  if (protocol === 'http:' || protocol === 'https:') return;
  throw new ClipError('HUB_UNREACHABLE', 'the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be used', {
    expected: 'http://host:port, with user:password@ where it asks for them',
    found: protocol,
  });
}
