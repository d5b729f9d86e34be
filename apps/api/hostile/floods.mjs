/**
 * Floods: one client with 40 connections that sends without a pause, and opens each connection again that was closed.
 * Each is an ordinary request, or nearly one, many times.
 */
import { connect } from 'node:net';
import { head } from './wire.mjs';

/**
 * @typedef {object} Flood
 * @property {string} name
 * @property {Buffer} data What each connection writes, again and again.
 * @property {'never' | 'always'} [reads] Never: answers are left unread.
 * @property {boolean} [waits] The next is sent only after an answer.
 */

const CONNECTIONS = 40;

/** @param {number} count @param {string} [value] */
const fields = (count, value = '1') =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`x${n}`, value]));

const embed = '{"texts":["red"]}';
const json = { 'Content-Type': 'application/json' };

/** @type {Record<string, { text: string } & Partial<Flood>>} */
const KINDS = {
  'searches without waiting for answers': { text: head('GET', '/search?q=a').repeat(5000) },
  'lists, 15 before the answers': { text: head('GET', '/images').repeat(15) },
  'requests without a host': { text: 'GET / HTTP/1.1\r\n\r\n'.repeat(3000) },
  'requests with an expectation': { text: head('GET', '/', { Expect: 'money' }).repeat(1000) },
  '1,400 header fields': { text: head('GET', '/healthz', fields(1400)).repeat(50) },
  '98 header fields of 150 bytes': {
    text: head('GET', '/search?q=a', fields(98, 'y'.repeat(150))),
    waits: true,
  },
  'header fields of 15 KB': { text: head('GET', '/healthz', { x: 'y'.repeat(15_800) }).repeat(15) },
  'headers beyond all limits': { text: head('GET', '/healthz', { x: 'y'.repeat(100_000) }) },
  'what is not HTTP': { text: '\u0016\u0003\u0001\u0002\u0000\u0001\u0000' },
  'small bodies': {
    text: (head('POST', '/embed', { ...json, 'Content-Length': embed.length }) + embed).repeat(15),
  },
  'chunks of one byte': {
    text: `${head('POST', '/embed', { ...json, 'Transfer-Encoding': 'chunked' })}${'1\r\nx\r\n'.repeat(4000)}0\r\n\r\n`,
  },
  'large answers': { text: head('GET', '/docs/swagger-ui-bundle.js'), waits: true },
  'large answers that nobody reads': {
    text: head('GET', '/docs/swagger-ui-bundle.js').repeat(15),
    reads: 'never',
  },
  'a connection for each request': { text: head('GET', '/nothing', { Connection: 'close' }) },
};

/** @returns {Flood[]} */
export function floods() {
  return Object.entries(KINDS).map(([name, { text, ...rest }]) => ({
    name: `a flood of ${name}`,
    data: Buffer.from(text, 'latin1'),
    ...rest,
  }));
}

/**
 * Floods a service and returns the statuses of the first answers of each connection.
 * @param {string} url @param {Flood} kind @param {number} milliseconds @returns {Promise<number[]>}
 */
export async function flood(url, { data, reads, waits }, milliseconds) {
  const { hostname, port } = new URL(url);
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  /** @type {number[]} */
  const statuses = [];
  let over = false;
  const open = () => {
    if (over) return;
    const socket = connect(Number(port), hostname);
    let answered = false;
    const send = () => {
      if (over || socket.destroyed) return;
      const taken = socket.write(data);
      if (waits) return;
      if (taken) setImmediate(send);
      else socket.once('drain', send);
    };
    sockets.add(socket);
    socket.on('connect', send);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      setImmediate(open);
    });
    if (reads === 'never') return;
    socket.on('data', (bytes) => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(bytes.toString('latin1', 0, 12))?.[1];
      if (status === undefined) return;
      if (!answered) statuses.push(Number(status));
      answered = true;
      if (waits) send();
    });
  };
  for (let n = 0; n < CONNECTIONS; n++) open();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  over = true;
  for (const socket of sockets) socket.destroy();
  return statuses;
}
