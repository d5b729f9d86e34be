/** One image, large, with what is known of it, which can be changed here. */
import { ApiError, call, callJson, showImage } from './api.js';
import { byId, create, showStatus } from './dom.js';
import { send } from './selection.js';

/** @typedef {import('./question.js').Image} Image */

/**
 * @param {{ classify: (image: Blob, name: string) => void, similar: (image: Image) => void,
 *   withTag: (tag: string) => void, changed: () => Promise<unknown>, failed: (error: unknown) => void,
 *   closed: (image: Image) => void }} actions
 * @returns {(image: Image) => void} shows an image
 */
export function startViewer(actions) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('viewer'));
  const captions = /** @type {HTMLTextAreaElement} */ (byId('edit-captions'));
  const tags = /** @type {HTMLTextAreaElement} */ (byId('edit-tags'));
  const status = byId('edit-status');
  /** @type {Image | undefined} */
  let shown;

  const then = (/** @type {(image: Image) => void | Promise<unknown>} */ work) => () => {
    if (shown === undefined) return;
    dialog.close();
    Promise.resolve(work(shown)).catch(actions.failed);
  };
  dialog.addEventListener('close', () => {
    const active = document.activeElement;
    // The tile that it was opened from may have been drawn anew meanwhile: then nothing outside has the focus.
    if (shown !== undefined && (active === document.body || dialog.contains(active))) actions.closed(shown);
  });
  byId('viewer-similar').addEventListener('click', then(actions.similar));
  byId('viewer-classify').addEventListener(
    'click',
    then(async ({ url, fileName }) => {
      const response = await call(url);
      actions.classify(await response.blob(), fileName ?? 'image');
    }),
  );
  byId('viewer-remove').addEventListener('click', () => {
    if (confirm('Remove this image from the collection?')) {
      then(async ({ id }) => {
        await call(`images/${id}`, { method: 'DELETE' });
        await actions.changed();
      })();
    }
  });
  byId('edit-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    if (shown === undefined) return;
    const body = { captions: lines(captions.value), tags: lines(tags.value) };
    showStatus(status, 'Saving…');
    try {
      const revision = { 'If-Match': `"${shown.revision}"` };
      shown = /** @type {Image} */ (await send(`images/${shown.id}`, 'PATCH', body, revision));
      describe(shown);
      showStatus(status, 'Saved.');
      await actions.changed();
    } catch (error) {
      if (error instanceof ApiError && error.code === 'precondition_failed')
        await showChange().catch(actions.failed);
      else showStatus(status, error instanceof Error ? error.message : 'Something went wrong.', true);
    }
  });

  /** Somebody else changed the image: shows how it is now and leaves in the fields what was to be saved. */
  async function showChange() {
    if (shown === undefined) return;
    const [myCaptions, myTags] = [captions.value, tags.value];
    shown = { ...shown, .../** @type {Image} */ (await callJson(`images/${shown.id}`)) };
    describe(shown);
    [captions.value, tags.value] = [myCaptions, myTags];
    const quoted = (/** @type {string[]} */ list) => list.map((text) => `“${text}”`).join(', ') || 'none';
    showStatus(
      status,
      `Not saved: the image was changed in the meantime. Captions now: ${quoted(shown.captions)}. Tags: ${quoted(shown.tags)}. Save again to replace them.`,
      true,
    );
  }

  /** @param {Image} image */
  function describe(image) {
    byId('viewer-title').textContent = image.caption ?? image.fileName ?? 'Image';
    byId('viewer-tags').replaceChildren(
      ...image.tags.map((tag) => {
        const chip = create('button', { text: tag });
        chip.type = 'button';
        chip.title = 'Show only images with this tag';
        chip.addEventListener('click', () => {
          dialog.close();
          actions.withTag(tag);
        });
        return chip;
      }),
    );
    captions.value = image.captions.join('\n');
    tags.value = image.tags.join('\n');
  }

  return (image) => {
    shown = image;
    const picture = /** @type {HTMLImageElement} */ (byId('viewer-image'));
    picture.alt = image.caption ?? '';
    showImage(picture, image.url);
    const size = `${image.width} × ${image.height}`;
    const score = image.score === undefined ? [] : [`score ${image.score.toFixed(4)}`];
    const taken = image.takenAt ? [`taken ${timeText(image.takenAt)}`] : [];
    byId('viewer-facts').textContent = [...score, ...taken, size, image.fileName].filter(Boolean).join(' · ');
    /** @type {HTMLAnchorElement} */ (byId('viewer-file')).href = image.url;
    /** @type {HTMLDetailsElement} */ (byId('edit')).open = false;
    showStatus(status, '');
    describe(image);
    dialog.showModal();
  };
}

const DATE_TIME = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
});

/** A time as the clock of its place showed it: 12 June 2026 at 18:32, UTC+02:00. @param {string} time */
function timeText(time) {
  const [clock, offset] = [time.slice(0, 19), time.slice(19)];
  return `${DATE_TIME.format(new Date(`${clock}Z`))}${offset === '' ? '' : `, UTC${offset}`}`;
}

/** @param {string} text */
const lines = (text) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
