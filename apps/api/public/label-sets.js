/** Labels that are saved under a name, for the fields of labels and templates. */
import { callJson } from './api.js';
import { byId, create } from './dom.js';
import { readLabels, readTemplates } from './scores.js';

/** @typedef {{ id: string, name: string, labels: string[], templates: string[] }} LabelSet */

/**
 * @param {{ base: string, changed: () => void, failed: (error: unknown) => void }} options `base`: of the service, seen from
 *   the page; `changed`: the fields hold another set
 */
export function startLabelSets({ base, changed, failed }) {
  const field = byId('label-set-field');
  const select = /** @type {HTMLSelectElement} */ (byId('label-set'));
  const labels = /** @type {HTMLTextAreaElement} */ (byId('labels'));
  const template = /** @type {HTMLTextAreaElement} */ (byId('template'));
  /** The set in the fields. A label may have a comma, which the field would split it at. @type {LabelSet | undefined} */
  let chosen;

  const textOf = (/** @type {LabelSet} */ set) => set.labels.join('\n');
  const isUnchanged = () => chosen !== undefined && labels.value === textOf(chosen);

  async function refresh() {
    /** @type {{ items: { id: string, name: string, size: number }[] }} */
    const { items } = await callJson(`${base}label-sets?limit=100`);
    field.hidden = items.length === 0;
    const kept = select.value;
    select.replaceChildren(
      option('', 'None'),
      ...items.map(({ id, name, size }) => option(id, `${name} (${size})`)),
    );
    select.value = kept;
  }

  async function choose() {
    chosen = undefined;
    if (select.value === '') return;
    chosen = /** @type {LabelSet} */ (
      await callJson(`${base}label-sets/${encodeURIComponent(select.value)}`)
    );
    labels.value = textOf(chosen);
    template.value = chosen.templates.join('\n');
    changed();
  }

  select.addEventListener('change', () => choose().catch(failed));
  refresh().catch(() => undefined);
  return {
    refresh,
    /** What the fields hold. */
    read: () => ({
      labels: isUnchanged() && chosen ? chosen.labels : readLabels(labels.value),
      templates: readTemplates(template.value),
    }),
  };
}

/** @param {string} value @param {string} text */
function option(value, text) {
  const element = create('option', { text });
  element.value = value;
  return element;
}
