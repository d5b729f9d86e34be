/** Images that are chosen, and what can be done with all of them. */
import { call, callJson } from './api.js';
import { byId } from './dom.js';

/** Ids that one request takes. */
const AT_ONCE = 1000;

/**
 * @param {{ report: (text: string, bad?: boolean) => void, changed: () => Promise<unknown> }} actions `changed` shows
 *   the list again
 */
export function startSelection(actions) {
  const bar = byId('selection');
  const name = /** @type {HTMLInputElement} */ (byId('selection-collection'));
  /** @type {Map<string, HTMLInputElement>} */
  const chosen = new Map();

  function update() {
    bar.hidden = chosen.size === 0;
    byId('selection-count').textContent = `${chosen.size} selected`;
  }

  function clear() {
    for (const box of chosen.values()) box.checked = false;
    chosen.clear();
    update();
  }

  /** @param {() => Promise<string>} work returns what happened */
  async function run(work) {
    try {
      const text = await work();
      clear();
      await actions.changed();
      actions.report(text);
    } catch (error) {
      actions.report(error instanceof Error ? error.message : 'Something went wrong.', true);
    }
  }

  byId('selection-clear').addEventListener('click', clear);
  byId('selection-delete').addEventListener('click', () => {
    const ids = [...chosen.keys()];
    if (
      !confirm(`Remove ${ids.length === 1 ? 'this image' : `these ${ids.length} images`} from the service?`)
    )
      return;
    run(async () => {
      for (const [index, id] of ids.entries()) {
        actions.report(`Removing ${index + 1} of ${ids.length}…`);
        await call(`images/${id}`, { method: 'DELETE' });
      }
      return `${ids.length === 1 ? '1 image' : `${ids.length} images`} removed.`;
    });
  });
  byId('selection-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    const ids = [...chosen.keys()];
    if (wanted === '') return;
    run(async () => {
      const collection = await collectionNamed(wanted);
      for (let from = 0; from < ids.length; from += AT_ONCE)
        await send(`collections/${collection}`, 'PATCH', { add: ids.slice(from, from + AT_ONCE) });
      name.value = '';
      return `Added to ${wanted}.`;
    });
  });

  return {
    clear,
    /** @param {string} id @param {HTMLInputElement} box */
    toggle(id, box) {
      if (box.checked) chosen.set(id, box);
      else chosen.delete(id);
      update();
    },
  };
}

/** Id of the collection, which is made when there is none of this name. @param {string} name */
async function collectionNamed(name) {
  /** @type {{ items: { id: string, name: string }[] }} */
  const { items } = await callJson('collections');
  const known = items.find((one) => one.name === name);
  /** @type {{ id: string }} */
  const { id } = known ?? (await send('collections', 'POST', { name }));
  return id;
}

/** @param {string} path @param {string} method @param {object} body @param {Record<string, string>} [headers] */
export function send(path, method, body, headers = {}) {
  return callJson(path, {
    method,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}
