/** The models that have encoded the collection: how far each is, and the change from one to another. */
import { call, callJson } from './api.js';
import { byId, create, showStatus } from './dom.js';

/**
 * @typedef {{ hash: string, name: string, state: 'active' | 'building' | 'ready' | 'partial', images: number,
 *   missing: number, available: boolean, problem: string | null }} Model
 */

/** Milliseconds between two looks at a build. */
const INTERVAL = 1000;

/** @param {{ changed: () => void }} actions `changed`: another model may answer now */
export function startModels(actions) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('models'));
  const list = byId('model-list');
  const status = byId('models-status');
  /** The hash of the model that answered when the list was last read. @type {string | undefined} */
  let answering;
  let turn = 0;

  /** Reads the list, and again as long as it is open and a model is being built. */
  async function refresh() {
    const mine = ++turn;
    /** @type {{ items: Model[] }} */
    const { items } = await callJson('models');
    if (mine !== turn || !dialog.open) return;
    show(items);
    const now = items.find(({ state }) => state === 'active')?.hash;
    if (answering !== undefined && now !== answering) actions.changed();
    answering = now;
    if (items.some(({ state, missing }) => state === 'building' || (state === 'active' && missing > 0)))
      setTimeout(() => mine === turn && dialog.open && refresh().catch(failed), INTERVAL);
  }

  /** Keeps the focus where it is, although the list is rebuilt. @param {Model[]} models */
  function show(models) {
    const focused = document.activeElement instanceof HTMLElement && document.activeElement.dataset.key;
    list.replaceChildren(...models.map(row));
    if (!focused) return;
    const again = list.querySelector(`[data-key="${focused}"]`);
    if (again instanceof HTMLElement) again.focus();
    else dialog.focus();
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
    if (state === 'active') return create('li', {}, parts);
    const buttons = [];
    if (available && state !== 'building') {
      const text = state === 'ready' ? 'Go back to it' : 'Build and use';
      buttons.push(action(`use-${hash}`, text, `models/${hash}/activate`, 'POST'));
    }
    const [text, question] =
      state === 'building'
        ? ['Cancel', 'Cancel this build and delete what it has encoded?']
        : ['Delete', 'Delete the embeddings and files of this model?'];
    buttons.push(action(`delete-${hash}`, text, `models/${hash}`, 'DELETE', question));
    return create('li', {}, [...parts, create('div', { class: 'actions' }, buttons)]);
  }

  /** @param {string} key @param {string} text @param {string} path @param {string} method @param {string} [question] */
  function action(key, text, path, method, question) {
    const button = create('button', { class: 'button', text });
    button.type = 'button';
    button.dataset.key = key;
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
