/** The classification panel: an image by drop, choice or paste, labels, and bars with their scores. */
import { callJson } from './api.js';
import { byId, showStatus } from './dom.js';
import { takeImages } from './image-input.js';
import { startLabelSets } from './label-sets.js';
import { EXAMPLE_LABELS, LABELS_KEY, bar, summary } from './scores.js';
import { send } from './selection.js';

/** @returns {{ use: (image: Blob, name: string) => void }} */
export function startClassify() {
  const form = /** @type {HTMLFormElement} */ (byId('classify-form'));
  const labels = /** @type {HTMLTextAreaElement} */ (byId('labels'));
  const multi = /** @type {HTMLInputElement} */ (byId('multi'));
  const background = /** @type {HTMLInputElement} */ (byId('background'));
  const preview = /** @type {HTMLImageElement} */ (byId('preview'));
  const status = byId('classify-status');
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('button[type=submit]'));

  /** @type {{ blob: Blob, name: string } | undefined} */
  let image;
  labels.value = sessionStorage.getItem(LABELS_KEY) ?? EXAMPLE_LABELS;

  const failed = (/** @type {unknown} */ error) =>
    showStatus(status, error instanceof Error ? error.message : 'Something went wrong.', true);
  const sets = startLabelSets({ base: '', changed: () => image !== undefined && classify(), failed });

  /** @param {Blob} blob @param {string} name */
  function use(blob, name) {
    image = { blob, name };
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(blob);
    preview.hidden = false;
    byId('drop-hint').hidden = true;
    classify();
  }

  async function classify() {
    if (image === undefined) {
      showStatus(status, 'Choose an image first.', true);
      return;
    }
    const { labels: list, templates } = sets.read();
    if (list.length === 0) {
      showStatus(status, 'Write at least one label.', true);
      return;
    }
    sessionStorage.setItem(LABELS_KEY, labels.value);
    const body = new FormData();
    body.append('image', image.blob, image.name);
    body.append('labels', JSON.stringify(list));
    body.append('templates', JSON.stringify(templates));
    body.append('multi_label', String(multi.checked));
    body.append('background', String(background.checked));
    button.disabled = true;
    showStatus(status, 'Classifying…');
    try {
      /** @type {{ label: string, score: number, similarity: number }[]} */
      const scores = await callJson('classify', { method: 'POST', body });
      byId('bars').replaceChildren(...scores.map(bar));
      showStatus(status, summary(scores));
    } catch (error) {
      byId('bars').replaceChildren();
      failed(error);
    } finally {
      button.disabled = false;
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    classify();
  });
  byId('label-set-save').addEventListener('click', () => {
    const name = prompt('Name under which to save these labels and their templates')?.trim();
    if (!name) return;
    send('label-sets', 'POST', { name, ...sets.read() })
      .then(() => sets.refresh())
      .then(() => showStatus(status, `Saved as ${name}.`))
      .catch(failed);
  });
  takeImages({
    area: byId('drop'),
    file: /** @type {HTMLInputElement} */ (byId('classify-file')),
    isShown: () => !byId('panel-classify').hidden,
    use,
  });
  return { use };
}
