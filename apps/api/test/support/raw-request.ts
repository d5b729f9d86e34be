/** Requests as no browser or `fetch` would send them: any Host, any header, any bytes. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** Code of the problem in the body, if it is one. */
  code?: string;
}

type Headers = Record<string, string | string[] | undefined>;

/** Sends a request with exactly these headers (beside Host, unless given, and Content-Length). */
export async function send(
  url: string,
  path: string,
  options: { method?: string; headers?: Headers; body?: string } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const { method = 'GET', headers = {}, body } = options;
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const outgoing = request({
    hostname,
    port,
    path,
    method,
    headers: { ...headers, ...length },
    agent: false,
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) text += part;
  return { status: response.statusCode!, headers: response.headers, body: text, ...codeOf(text) };
}

function codeOf(text: string): { code?: string } {
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === 'string' ? { code } : {};
  } catch {
    return {};
  }
}

/** Sends these bytes and returns everything that comes back until the server closes the connection. */
export async function sendBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return text;
}
