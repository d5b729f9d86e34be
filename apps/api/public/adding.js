/** Adding images from the visitor's machine: chosen files, a folder, a drop; how far it is, and what was refused. */
import { byId, create, showStatus } from './dom.js';
import { droppedFiles } from './dropped-files.js';
import { uploadFiles } from './uploads.js';

/** @typedef {import('./uploads.js').Progress} Progress */

/** Refused files that are listed; the others are counted. */
const MOST_LISTED = 100;

/** @param {{ added: () => Promise<unknown> }} actions `added`: shows the collection again */
export function startAdding(actions) {
  const panel = byId('adding');
  const bar = /** @type {HTMLProgressElement} */ (byId('adding-progress'));
  const [status, refused] = [byId('adding-status'), byId('refused')];
  const [cancel, close] = [byId('adding-cancel'), byId('adding-close')];
  const area = byId('panel-search');
  /** Of the upload under way. @type {AbortController | undefined} */
  let running;

  /** @param {readonly File[]} chosen @param {boolean} isFolder files that are no images are expected */
  async function add(chosen, isFolder) {
    const files = isFolder ? chosen.filter(({ type }) => type.startsWith('image/')) : chosen;
    if (running !== undefined || chosen.length === 0) return;
    panel.hidden = false;
    refused.replaceChildren();
    if (files.length === 0) {
      bar.hidden = true;
      [cancel.hidden, close.hidden] = [true, false];
      showStatus(status, 'The folder has no images.', true);
      return;
    }
    running = new AbortController();
    const start = performance.now();
    [cancel.hidden, close.hidden, bar.hidden] = [false, true, false];
    [bar.max, bar.value] = [files.length, 0];
    showStatus(status, `Adding ${counted(files.length, 'image')}…`);
    const progress = await uploadFiles(files, {
      signal: running.signal,
      report: (now) => {
        bar.value = now.done;
        showStatus(status, progressText(now, (performance.now() - start) / 1000));
        if (now.refused.length !== refused.children.length) showRefused(now);
      },
    });
    const isCancelled = running.signal.aborted;
    running = undefined;
    bar.hidden = true;
    [cancel.hidden, close.hidden] = [true, false];
    await actions.added().catch(() => undefined);
    showStatus(status, summary(progress, isCancelled), progress.created + progress.duplicate === 0);
  }

  /** @param {Progress} progress */
  function showRefused({ refused: list }) {
    const rest = list.length - MOST_LISTED;
    refused.replaceChildren(
      ...list.slice(0, MOST_LISTED).map(({ name, reason }) => create('li', { text: `${name}: ${reason}` })),
      ...(rest > 0 ? [create('li', { text: `and ${counted(rest, 'more file')}` })] : []),
    );
  }

  for (const [id, isFolder] of /** @type {[string, boolean][]} */ ([
    ['add-files', false],
    ['add-folder', true],
  ])) {
    const input = /** @type {HTMLInputElement} */ (byId(id));
    input.addEventListener('change', () =>
      add([...(input.files ?? [])], isFolder).finally(() => (input.value = '')),
    );
  }
  area.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  });
  area.addEventListener('drop', (event) => {
    if (event.dataTransfer === null || !event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    droppedFiles(event.dataTransfer).then((files) => add(files, files.length > 1));
  });
  cancel.addEventListener('click', () => running?.abort());
  close.addEventListener('click', () => (panel.hidden = true));
  window.addEventListener('beforeunload', (event) => {
    if (running !== undefined) event.preventDefault();
  });
}

/** @param {Progress} progress @param {number} seconds since the first file */
function progressText({ done, total, refused }, seconds) {
  const rate = done / Math.max(seconds, 0.001);
  const parts = [`Adding: ${done.toLocaleString('en')} of ${total.toLocaleString('en')}`];
  if (done < total) parts.push(`${rate.toFixed(1)} a second`, `${timeText((total - done) / rate)} left`);
  if (refused.length > 0) parts.push(`${refused.length} refused`);
  return parts.join(' · ');
}

/** @param {number} seconds */
export function timeText(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** What became of the files. @param {Progress} progress @param {boolean} isCancelled */
function summary({ total, done, created, duplicate, refused }, isCancelled) {
  const parts = [`${counted(created, 'image')} added`];
  if (duplicate > 0) parts.push(`${counted(duplicate, 'image')} already stored`);
  if (refused.length > 0) parts.push(`${counted(refused.length, 'file')} refused`);
  if (isCancelled) parts.push(`cancelled with ${counted(total - done, 'file')} left`);
  return `${parts.join(', ')}.`;
}

/** @param {number} count @param {string} noun */
export const counted = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
