/** Imports from the server's disk: starts them, and shows how far they are. */
import { call, callJson } from './api.js';
import { counted, timeText } from './adding.js';
import { byId, create, showStatus } from './dom.js';
import { eventsOf } from './event-stream.js';
import { redraw } from './redraw.js';
import { send } from './selection.js';

/**
 * @typedef {{ id: string, path: string, status: 'queued' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled',
 *   total: number | null, processed: number, added: number, duplicates: number, failed: number, error: string | null,
 *   failures: { file: string, detail: string }[], startedAt: string | null }} Job
 */

/** What can be done with a job in a state: the route, and the words on the button. @type {Record<string, [string, string][]>} */
const ACTIONS = {
  queued: [['cancel', 'Cancel']],
  running: [
    ['pause', 'Pause'],
    ['cancel', 'Cancel'],
  ],
  paused: [
    ['resume', 'Go on'],
    ['cancel', 'Cancel'],
  ],
  failed: [['retry', 'Try again']],
  cancelled: [['retry', 'Resume']],
  done: [['retry', 'Import again']],
};

/** @param {{ added: () => Promise<unknown> }} actions `added`: shows the collection again */
export function startImports(actions) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('imports'));
  const form = byId('import-form');
  const list = byId('import-list');
  const status = byId('import-status');
  const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (byId(`import-${name}`));
  /** Ids of jobs whose events are followed. @type {Set<string>} */
  const followed = new Set();

  async function refresh() {
    /** @type {{ items: Job[] }} */
    const { items } = await callJson('imports');
    const jobs = items.slice(0, 20);
    redraw(list, jobs.map(row));
    jobs.forEach(follow);
  }

  /** @param {Job} job */
  function row(job) {
    const item = create('li', {}, contents(job));
    item.dataset.key = job.id;
    return item;
  }

  /** Shows the current state of a job that is in the list. @param {Job} job */
  function update(job) {
    const item = list.querySelector(`[data-key="${CSS.escape(job.id)}"]`);
    if (item !== null) redraw(item, contents(job));
  }

  /** @param {Job} job */
  function contents(job) {
    const { id, path, total, processed, failures, failed } = job;
    /** @type {Node[]} */
    const parts = [
      create('strong', { text: path }),
      create('span', { class: 'status', text: stateText(job) }),
    ];
    if (total !== null && total > 0 && ['running', 'paused'].includes(job.status)) {
      const bar = create('progress');
      [bar.max, bar.value] = [total, processed];
      bar.setAttribute('aria-label', `Images of ${path} processed`);
      parts.push(bar);
    }
    if (job.error !== null) parts.push(create('span', { class: 'status bad', text: job.error }));
    if (failed > 0) {
      const items = failures.map(({ file, detail }) => create('li', { text: `${file}: ${detail}` }));
      if (failed > failures.length)
        items.push(create('li', { text: `and ${counted(failed - failures.length, 'more file')}` }));
      parts.push(
        create('details', {}, [
          create('summary', { text: `${counted(failed, 'file')} refused` }),
          create('ul', { class: 'refused' }, items),
        ]),
      );
    }
    const buttons = (ACTIONS[job.status] ?? []).map(([route, text]) => {
      const button = create('button', { class: 'button', text });
      button.type = 'button';
      button.dataset.key = `${id}-${route}`;
      button.setAttribute('aria-label', `${text}: ${path}`);
      button.addEventListener('click', () => control(id, route));
      return button;
    });
    return [...parts, create('div', { class: 'actions' }, buttons)];
  }

  /** @param {string} id @param {string} route */
  async function control(id, route) {
    showStatus(status, '');
    try {
      const job = await callJson(`imports/${id}/${route}`, { method: 'POST' });
      update(job);
      follow(job);
    } catch (error) {
      failed(error);
    }
  }

  /** Shows what becomes of a job, until it ends or the dialog is closed. @param {Job} job */
  async function follow({ id, status: state }) {
    if (followed.has(id) || !['queued', 'running', 'paused'].includes(state)) return;
    followed.add(id);
    const end = new AbortController();
    dialog.addEventListener('close', () => end.abort(), { once: true });
    try {
      const response = await call(`imports/${encodeURIComponent(id)}/events`, { signal: end.signal });
      for await (const job of eventsOf(response)) {
        update(job);
        if (job.status === 'done') await actions.added();
      }
    } catch (error) {
      if (!end.signal.aborted) failed(error);
    } finally {
      followed.delete(id);
    }
  }

  /** @param {unknown} error */
  function failed(error) {
    showStatus(status, error instanceof Error ? error.message : 'Something went wrong.', true);
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    showStatus(status, 'Starting…');
    try {
      const onDuplicate = field('duplicates').value;
      await send('imports', 'POST', { path: field('path').value.trim(), onDuplicate });
      showStatus(status, '');
      await refresh();
    } catch (error) {
      failed(error);
    }
  });
  byId('imports-open').addEventListener('click', () => {
    showStatus(status, '');
    dialog.showModal();
    refresh().catch(failed);
  });
}

/** @param {Job} job */
function stateText({ status, total, processed, added, duplicates, failed, startedAt }) {
  const found = [
    `${added.toLocaleString('en')} added`,
    ...(duplicates > 0 ? [`${duplicates.toLocaleString('en')} already stored`] : []),
    ...(failed > 0 ? [`${failed.toLocaleString('en')} refused`] : []),
  ].join(', ');
  if (status === 'queued') return 'waits for its turn';
  if (status === 'running' && total === null) return 'looks for images';
  const far = `${processed.toLocaleString('en')} of ${(total ?? 0).toLocaleString('en')}`;
  if (status !== 'running') return `${status}${status === 'done' ? '' : ` at ${far}`}: ${found}`;
  const rate = startedAt === null ? 0 : processed / ((Date.now() - Date.parse(startedAt)) / 1000);
  const left = rate > 0 && total !== null ? ` · ${timeText((total - processed) / rate)} left` : '';
  return `${far}: ${found} · ${rate.toFixed(1)} a second${left}`;
}
