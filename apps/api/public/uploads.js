/** Sends files to the collection, some at a time. Knows nothing of the page. */
import { ApiError, callJson } from './api.js';

/** Requests at a time: enough to keep a server busy that decodes on a few cores. */
const PARALLEL = 3;
/** How often a file is tried that the server has no room for now. */
const ATTEMPTS = 6;
/** Longest wait before the next try, in seconds. */
const LONGEST_WAIT = 60;

/**
 * @typedef {{ total: number, done: number, created: number, duplicate: number, refused: { name: string, reason: string }[] }} Progress
 */

/**
 * Uploads each file by itself, so that one that is refused keeps none of the others out.
 * @param {readonly File[]} files
 * @param {{ signal: AbortSignal, report: (progress: Progress) => void }} options `report`: after each file
 * @returns {Promise<Progress>} when all are done, or the signal has ended it
 */
export async function uploadFiles(files, { signal, report }) {
  /** @type {Progress} */
  const progress = { total: files.length, done: 0, created: 0, duplicate: 0, refused: [] };
  const waiting = [...files].reverse();
  async function work() {
    for (let file = waiting.pop(); file !== undefined && !signal.aborted; file = waiting.pop()) {
      try {
        progress[await uploadPatiently(file, signal)]++;
      } catch (error) {
        if (signal.aborted) return;
        progress.refused.push({ name: nameOf(file), reason: reasonOf(error) });
      }
      progress.done++;
      report(progress);
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return progress;
}

/** Waits where the server answers that it has no room now. @param {File} file @param {AbortSignal} signal */
async function uploadPatiently(file, signal) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await upload(file, signal);
    } catch (error) {
      const wait = error instanceof ApiError ? error.retryAfter : undefined;
      if (wait === undefined || attempt === ATTEMPTS) throw error;
      await delay(Math.min(wait, LONGEST_WAIT) * 1000, signal);
    }
  }
}

/** @param {File} file @param {AbortSignal} signal @returns {Promise<'created' | 'duplicate'>} */
async function upload(file, signal) {
  const body = new FormData();
  body.append('image', file, file.name);
  /** @type {{ items: { status: 'created' | 'duplicate' }[] }} */
  const { items } = await callJson('images', { method: 'POST', body, signal });
  return items[0]?.status ?? 'created';
}

/** @param {number} milliseconds @param {AbortSignal} signal ends it with an error */
function delay(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('The upload was cancelled.'));
    });
  });
}

/** With the folders that it was chosen with. @param {File} file */
const nameOf = (file) => file.webkitRelativePath || file.name;

/** @param {unknown} error */
const reasonOf = (error) => (error instanceof Error ? error.message : 'Something went wrong.');
