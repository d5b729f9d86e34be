/** The classification panel: an image by drop, choice or paste, labels, and bars with their scores. */
import { callJson } from './api.js';
import { byId, create, filled, say } from './dom.js';

const LABELS_KEY = 'labels';
/** The class that `background` adds. */
const NONE = 'none of the above';
const EXAMPLE_LABELS = 'a person, a dog, a cat, a car, a building, food, a circle, a square, a triangle';

/** @returns {{ use: (image: Blob, name: string) => void }} */
export function startClassify() {
  const form = /** @type {HTMLFormElement} */ (byId('classify-form'));
  const file = /** @type {HTMLInputElement} */ (byId('classify-file'));
  const labels = /** @type {HTMLTextAreaElement} */ (byId('labels'));
  const template = /** @type {HTMLInputElement} */ (byId('template'));
  const multi = /** @type {HTMLInputElement} */ (byId('multi'));
  const background = /** @type {HTMLInputElement} */ (byId('background'));
  const preview = /** @type {HTMLImageElement} */ (byId('preview'));
  const drop = byId('drop');
  const status = byId('classify-status');
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('button[type=submit]'));

  /** @type {{ blob: Blob, name: string } | undefined} */
  let image;
  labels.value = sessionStorage.getItem(LABELS_KEY) ?? EXAMPLE_LABELS;

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
      say(status, 'Choose an image first.', true);
      return;
    }
    const list = [...new Set(labels.value.split(/[\n,]/).map((label) => label.trim()))].filter(Boolean);
    if (list.length === 0) {
      say(status, 'Write at least one label.', true);
      return;
    }
    sessionStorage.setItem(LABELS_KEY, labels.value);
    const body = new FormData();
    body.append('image', image.blob, image.name);
    body.append('labels', JSON.stringify(list));
    body.append('hypothesis_template', template.value || '{}');
    body.append('multi_label', String(multi.checked));
    body.append('background', String(background.checked));
    button.disabled = true;
    say(status, 'Classifying…');
    try {
      /** @type {{ label: string, score: number, similarity: number }[]} */
      const scores = await callJson('classify', { method: 'POST', body });
      byId('bars').replaceChildren(...scores.map(bar));
      const [best] = scores;
      const isNone = best === undefined || best.label === NONE;
      say(status, isNone ? 'None of the labels fits.' : `Most likely: ${best.label}`);
    } catch (error) {
      byId('bars').replaceChildren();
      say(status, error instanceof Error ? error.message : 'Something went wrong.', true);
    } finally {
      button.disabled = false;
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    classify();
  });
  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    if (chosen !== undefined) use(chosen, chosen.name);
    file.value = '';
  });
  for (const name of ['dragenter', 'dragover']) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add('over');
    });
  }
  for (const name of ['dragleave', 'drop']) drop.addEventListener(name, () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped !== undefined) use(dropped, dropped.name);
  });
  document.addEventListener('paste', (event) => {
    const [pasted] = event.clipboardData?.files ?? [];
    if (pasted !== undefined && !byId('panel-classify').hidden) use(pasted, pasted.name);
  });
  return { use };
}

/** @param {{ label: string, score: number, similarity: number }} entry */
function bar({ label, score, similarity }) {
  const percent = create('b', { text: `${(score * 100).toFixed(1)} %` });
  percent.title = `Cosine ${similarity.toFixed(4)}`;
  return create('li', { class: 'bar' }, [filled(score), create('span', { text: label }), percent]);
}
