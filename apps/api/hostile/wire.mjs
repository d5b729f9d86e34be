/**
 * HTTP/1.1 by hand over a socket: hostile requests are what well-behaved clients do not send.
 * An exchange writes its parts, reads what comes back until the status line, and never waits longer than asked.
 */
import { connect } from 'node:net';

/**
 * @typedef {object} Exchange
 * @property {(string | Uint8Array)[]} parts What is written, in this order.
 * @property {number} [pause] Milliseconds between the parts.
 * @property {boolean} [unfinished] The request is left half-sent; the answer is not waited for beyond `patience`.
 * @property {number} [patience] Longest wait for the answer, in milliseconds.
 */

/**
 * @typedef {object} Outcome
 * @property {number | undefined} status Undefined when nothing came back.
 * @property {string} text The beginning of the answer, head and body.
 * @property {number} milliseconds
 * @property {number} written Bytes that the kernel took.
 */

const MAX_TEXT = 64 * 1024;

/** @param {string} url @param {Exchange} exchange @returns {Promise<Outcome>} */
export async function exchange(url, { parts, pause = 0, unfinished = false, patience = 20_000 }) {
  const { hostname, port } = new URL(url);
  const start = performance.now();
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  let text = '';
  const answered = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const timer = setTimeout(resolve, patience);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    socket.on('data', (bytes) => {
      if (text.length < MAX_TEXT) text += bytes.toString('latin1');
      if (
        /^HTTP\/1\.1 [2-5]/.test(text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')) &&
        text.includes('\r\n\r\n')
      ) {
        // A moment for the body.
        setTimeout(done, 5);
      }
    });
    socket.on('error', done);
    socket.on('close', done);
  });
  let answeredAlready = false;
  void answered.then(() => (answeredAlready = true));
  for (const part of parts) {
    if (answeredAlready || socket.destroyed) break;
    await Promise.race([answered, new Promise((resolve) => socket.write(part, resolve))]);
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  if (!unfinished || patience > 0) await answered;
  const written = socket.bytesWritten;
  socket.destroy();
  const final = text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(final)?.[1];
  return {
    status: status === undefined ? undefined : Number(status),
    text: final,
    milliseconds: performance.now() - start,
    written,
  };
}

/**
 * The head of a request.
 * @param {string} method @param {string} path @param {Record<string, string | number>} [headers]
 */
export function head(method, path, headers = {}) {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/**
 * A request with a JSON text as its body, which need not be JSON.
 * @param {string} path @param {string | Uint8Array} text @param {Record<string, string>} [headers] @param {string} [method]
 * @returns {Exchange}
 */
export function json(path, text, headers = {}, method = 'POST') {
  const body = Buffer.from(text);
  const all = { 'Content-Type': 'application/json', 'Content-Length': body.length, ...headers };
  return { parts: [head(method, path, all), body] };
}

/** @param {string} name @param {string | Uint8Array} value @param {string} [extra] Parameters and headers. */
export function formPart(name, value, extra = '') {
  return Buffer.concat([
    Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"${extra}\r\n\r\n`),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ]);
}

/** @param {string} path @param {Uint8Array[]} fields @param {Record<string, string>} [headers] @returns {Exchange} */
export function form(path, fields, headers = {}) {
  const body = Buffer.concat([...fields, Buffer.from('--b--\r\n')]);
  const all = {
    'Content-Type': 'multipart/form-data; boundary=b',
    'Content-Length': body.length,
    ...headers,
  };
  return { parts: [head('POST', path, all), body] };
}

/** @param {string} method @param {string} path @param {Record<string, string | number>} [headers] @returns {Exchange} */
export function bare(method, path, headers) {
  return { parts: [head(method, path, headers)] };
}
