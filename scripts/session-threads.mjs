/**
 * Preloaded into a process of a test (`node --import`): threads that ONNX Runtime starts for its sessions get a name of their own,
 * by which /proc/PID/task tells them from those of Node.js. SESSION_THREADS names a file with a line for each session: how
 * many threads it has started. Linux alone.
 */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

const NAME = `session-${threadId}`;
const OWN_NAME = '/proc/thread-self/comm';

/** Threads of this process with that name. */
function count() {
  return readdirSync('/proc/self/task').filter((id) => nameOf(id) === NAME).length;
}

/** @param {string} id */
function nameOf(id) {
  try {
    return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
  } catch {
    return undefined; // It has ended.
  }
}

/**
 * A new thread has the name of the one that starts it.
 * @template T @param {() => T} open
 */
function counted(open) {
  const name = readFileSync(OWN_NAME, 'utf8');
  const before = count();
  writeFileSync(OWN_NAME, NAME);
  try {
    return open();
  } finally {
    writeFileSync(OWN_NAME, name);
    // The thread that is named back is none of them.
    appendFileSync(process.env.SESSION_THREADS ?? '', `${count() - before}\n`);
  }
}

const dlopen = process.dlopen.bind(process);
/** @param {{ exports: Record<string, any> }} module @param {string} file @param {number[]} flags */
process.dlopen = (module, file, ...flags) => {
  dlopen(module, file, ...flags);
  const { exports } = module;
  if (exports.InferenceSession) {
    const { InferenceSession } = exports;
    exports.InferenceSession = class extends InferenceSession {
      /** @param {unknown[]} model */
      loadModel(...model) {
        return counted(() => super.loadModel(...model));
      }
    };
  }
  if (exports.createSession) {
    const { createSession } = exports;
    exports.createSession = (/** @type {unknown[]} */ ...model) => counted(() => createSession(...model));
  }
};
