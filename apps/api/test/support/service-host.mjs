/**
 * A process that runs services for tests: each is started and closed by a message, and talked to over HTTP. What a start
 * reads and compiles, most of its processor time, is there already from the second one on.
 */
import { Writable } from 'node:stream';

/** The built service; not named in an import, where the compiler would check all of its JavaScript. */
const SERVICE = new URL('../../dist/service.js', import.meta.url).href;

/** @typedef {typeof import('../../src/service.js')} ServiceModule */
/** @typedef {import('./hosted-service.js').HostRequest} HostRequest */
/** @typedef {import('./hosted-service.js').HostReply} HostReply */

const { createLogger, readConfig, startService } = /** @type {ServiceModule} */ (await import(SERVICE));

/** @type {Map<number, import('../../src/service.js').Service>} */
const services = new Map();

/** @param {HostReply} reply */
const reply = (reply) => process.send?.(reply);

/** @param {number} service */
const logOf = (service) =>
  new Writable({
    write: (line, _encoding, done) => {
      reply({ service, line: String(line) });
      done();
    },
  });

/** @param {HostRequest} request @returns {Promise<string>} */
async function answer({ service, settings }) {
  if (settings === undefined) {
    await services.get(service)?.close();
    services.delete(service);
    return '';
  }
  const config = readConfig(settings);
  const started = await startService(config, createLogger(config, logOf(service)));
  services.set(service, started);
  return started.url;
}

process.on('message', (/** @type {HostRequest} */ request) => {
  const { service } = request;
  answer(request).then(
    (url) => reply({ service, url }),
    (error) =>
      reply({ service, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
