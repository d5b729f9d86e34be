/** The models that have encoded the collection: how far each is, and the change from one to another. */
import { call, callJson } from './api.js';
import { byId, create, showStatus } from './dom.js';
import { redraw } from './redraw.js';

/**
 * @typedef {{ hash: string, name: string, state: 'active' | 'building' | 'ready' | 'partial', images: number,
 *   missing: number, available: boolean, problem: string | null }} Model
 */

/** Milliseconds between two looks at a build, and at a list in which nothing is being built. */
const [INTERVAL, IDLE_INTERVAL] = [1000, 5000];

/** @param {{ changed: () => void }} actions `changed`: another model may answer now */
export function startModels(actions) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('models'));
  const list = byId('model-list');
  const status = byId('models-status');
  /** The hash of the model that answered when the list was last read. @type {string | undefined} */
  let answering;
  let turn = 0;
  let lost = false;

  /** Reads the list, and again as long as it is open: after an error too, as when the service restarts. */
  async function refresh() {
    const mine = ++turn;
    const again = (/** @type {number} */ wait) =>
      setTimeout(() => mine === turn && dialog.open && refresh().catch(failed), wait);
    /** @type {{ items: Model[] }} */
    const { items } = await callJson('models').catch((error) => {
      again(IDLE_INTERVAL);
      lost = true;
      throw error;
    });
    if (mine !== turn || !dialog.open) return;
    if (lost) showStatus(status, '');
    lost = false;
    redraw(list, items.map(row));
    const now = items.find(({ state }) => state === 'active')?.hash;
    if (answering !== undefined && now !== answering) actions.changed();
    answering = now;
    const builds = items.some(
      ({ state, missing }) => state === 'building' || (state === 'active' && missing > 0),
    );
    again(builds ? INTERVAL : IDLE_INTERVAL);
  }

  /** @param {Model} model */
  function row(model) {
    const { hash, name, state, images, missing, available, problem } = model;
    const title = create('strong', { text: `${name} ${hash.slice(0, 8)}` });
    const parts = [title, create('span', { class: 'status', text: stateText(model) })];
    if (missing > 0) {
      const progress = create('progress');
      progress.max = images + missing;
      progress.value = images;
      progress.setAttribute('aria-label', `Images encoded by ${name} ${hash.slice(0, 8)}`);
      parts.push(progress);
    }
    if (problem !== null) parts.push(create('span', { class: 'status bad', text: problem }));
    const buttons = [];
    if (available && ['ready', 'partial'].includes(state)) {
      const text = state === 'ready' ? 'Go back to it' : 'Build and use';
      buttons.push(action(text, `models/${hash}/activate`, 'POST'));
    }
    if (state !== 'active') {
      const [text, question] =
        state === 'building'
          ? ['Cancel', 'Cancel this build and delete what it has encoded?']
          : ['Delete', 'Delete the embeddings and files of this model?'];
      buttons.push(action(text, `models/${hash}`, 'DELETE', question));
    }
    if (buttons.length > 0) parts.push(create('div', { class: 'actions' }, buttons));
    const item = create('li', {}, parts);
    item.dataset.key = hash;
    return item;
  }

  /** @param {string} text @param {string} path @param {string} method @param {string} [question] */
  function action(text, path, method, question) {
    const button = create('button', { class: 'button', text });
    button.type = 'button';
    button.dataset.key = `${text} ${path}`;
    button.addEventListener('click', async () => {
      if (question !== undefined && !confirm(question)) return;
      button.disabled = true;
      showStatus(status, '');
      try {
        await call(path, { method });
      } catch (error) {
        failed(error);
      }
      await refresh().catch(failed);
    });
    return button;
  }

  /** @param {unknown} error */
  function failed(error) {
    showStatus(status, error instanceof Error ? error.message : 'Something went wrong.', true);
  }

  byId('models-open').addEventListener('click', () => {
    showStatus(status, '');
    dialog.showModal();
    refresh().catch(failed);
  });
}

/** @param {Model} model */
function stateText({ state, images, missing, available }) {
  const encoded = `${images.toLocaleString('en')} of ${(images + missing).toLocaleString('en')} images`;
  if (state === 'active') return missing === 0 ? 'answers' : `answers; has encoded ${encoded}`;
  if (state === 'building') return `is being built: ${encoded}`;
  const kept = state === 'ready' ? 'can be activated again' : `never complete: ${encoded}`;
  return available ? kept : `${kept}; its files are missing`;
}
