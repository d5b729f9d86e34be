/** The search panel: queries, the grid of images, paging, adding images, the large view. */
import { call, callJson, showImage } from './api.js';
import { byId, create, filled, say } from './dom.js';

/**
 * @typedef {{ id: string, url: string, thumbnailUrl: string, width: number, height: number, bytes: number,
 *   fileName: string | null, caption: string | null, captions: string[], tags: string[], score?: number }} Image
 * @typedef {{ items: Image[], total?: number }} Page
 */

const PAGE = 24;
const EXAMPLES = 8;

/**
 * @param {{ classify: (image: Blob, name: string) => void }} actions
 */
export function startSearch(actions) {
  const form = /** @type {HTMLFormElement} */ (byId('search-form'));
  const input = /** @type {HTMLInputElement} */ (byId('query'));
  const more = byId('more');
  const grid = byId('grid');
  const status = byId('search-status');
  const files = /** @type {HTMLInputElement} */ (byId('add-files'));

  /** Fetches one page of what is shown now. @type {(offset: number) => Promise<Page>} */
  let source = latest;
  /** Says what the list is. @type {(page: Page) => string} */
  let caption = describeLatest;
  let shown = 0;
  let turn = 0;

  /**
   * Shows a new list, or the next page of the present one.
   * @param {(offset: number) => Promise<Page>} from
   * @param {(page: Page) => string} describe
   * @param {boolean} [append]
   */
  async function show(from, describe, append = false) {
    const mine = ++turn;
    source = from;
    if (!append) caption = describe;
    grid.classList.add('waiting');
    try {
      const page = await from(append ? shown : 0);
      if (mine !== turn) return;
      if (!append) {
        grid.replaceChildren();
        shown = 0;
      }
      const best = page.items[0]?.score ?? 1;
      grid.append(...page.items.map((image) => tile(image, best)));
      shown += page.items.length;
      more.hidden = page.items.length < PAGE || shown === page.total;
      if (!append) say(status, describe(page));
    } catch (error) {
      if (mine === turn) say(status, messageOf(error), true);
    } finally {
      if (mine === turn) grid.classList.remove('waiting');
    }
  }

  /** @param {string} query */
  function search(query) {
    input.value = query;
    history.replaceState(null, '', `?q=${encodeURIComponent(query)}${location.hash}`);
    say(status, 'Searching…');
    return show(
      (offset) =>
        callJson(`/search?${new URLSearchParams({ q: query, limit: `${PAGE}`, offset: `${offset}` })}`),
      (page) =>
        page.items.length === 0
          ? 'There are no images to search yet. Add some.'
          : `Best matches for “${query}”`,
    );
  }

  /** @param {Image} image */
  async function similar(image) {
    say(status, 'Searching…');
    const blob = await (await call(image.url)).blob();
    await show(
      (offset) => {
        const body = new FormData();
        body.append('image', blob, 'image');
        return callJson(`/search/image?limit=${PAGE}&offset=${offset}`, { method: 'POST', body });
      },
      () => `Images like ${image.caption ?? image.fileName ?? 'this one'}`,
    );
  }

  function showLatest() {
    return show(latest, describeLatest);
  }

  /** @param {Image} image @param {number} best */
  function tile(image, best) {
    const picture = create('img');
    picture.alt = image.caption ?? image.fileName ?? 'Image';
    picture.loading = 'lazy';
    picture.width = 320;
    picture.height = 320;
    showImage(picture, image.thumbnailUrl);
    const text = create('span', { class: 'tile-text' });
    if (image.score !== undefined) {
      const meter = create('span', { class: 'meter' }, [filled(best > 0 ? image.score / best : 0)]);
      const score = create('span', { class: 'tile-score' }, [
        create('span', { text: image.score.toFixed(3) }),
        meter,
      ]);
      score.title = 'Cosine of the query and the image';
      text.append(score);
    }
    text.append(create('span', { class: 'tile-caption', text: image.caption ?? image.fileName ?? '' }));
    const button = create('button', { class: 'tile' }, [picture, text]);
    button.type = 'button';
    button.addEventListener('click', () => view(image));
    return create('li', {}, [button]);
  }

  /** @param {Image} image */
  function view(image) {
    const dialog = /** @type {HTMLDialogElement} */ (byId('viewer'));
    const picture = /** @type {HTMLImageElement} */ (byId('viewer-image'));
    picture.alt = image.caption ?? '';
    showImage(picture, image.url);
    byId('viewer-title').textContent = image.caption ?? image.fileName ?? 'Image';
    const size = `${image.width} × ${image.height}`;
    const score = image.score === undefined ? [] : [`score ${image.score.toFixed(4)}`];
    byId('viewer-facts').textContent = [...score, size, image.fileName].filter(Boolean).join(' · ');
    byId('viewer-tags').replaceChildren(...image.tags.map((tag) => create('span', { text: tag })));
    /** @type {HTMLAnchorElement} */ (byId('viewer-file')).href = image.url;
    byId('viewer-similar').onclick = () => {
      dialog.close();
      similar(image).catch((error) => say(status, messageOf(error), true));
    };
    byId('viewer-classify').onclick = () => {
      dialog.close();
      call(image.url)
        .then((response) => response.blob())
        .then((blob) => actions.classify(blob, image.fileName ?? 'image'))
        .catch((error) => say(status, messageOf(error), true));
    };
    byId('viewer-remove').onclick = () => {
      if (!confirm('Remove this image from the collection?')) return;
      dialog.close();
      call(`/images/${image.id}`, { method: 'DELETE' })
        .then(() => Promise.all([show(source, caption), showExamples()]))
        .catch((error) => say(status, messageOf(error), true));
    };
    dialog.showModal();
  }

  /**
   * Adds files one by one: a file that is refused does not keep the others out.
   * @param {FileList} list
   */
  async function add(list) {
    const chosen = [...list];
    const counts = { created: 0, duplicate: 0 };
    /** @type {string[]} */
    const refused = [];
    byId('refused').replaceChildren();
    for (const [index, file] of chosen.entries()) {
      say(status, `Adding ${index + 1} of ${chosen.length}…`);
      const body = new FormData();
      body.append('image', file, file.name);
      try {
        /** @type {{ items: { status: 'created' | 'duplicate' }[] }} */
        const { items } = await callJson('/images', { method: 'POST', body });
        for (const item of items) counts[item.status]++;
      } catch (error) {
        refused.push(`${file.name}: ${messageOf(error)}`);
      }
    }
    await Promise.all([showLatest(), showExamples().catch(() => undefined)]);
    byId('refused').replaceChildren(...refused.map((text) => create('li', { text })));
    say(status, addedText(counts, refused.length), counts.created + counts.duplicate === 0);
  }

  async function showExamples() {
    const { items } = /** @type {Page} */ (await callJson('/images?limit=60'));
    const captions = [...new Set(items.flatMap(({ captions }) => captions.slice(0, 1)))]
      .filter((caption) => caption.length <= 70)
      .filter((_, index, all) => index % Math.max(1, Math.floor(all.length / EXAMPLES)) === 0)
      .slice(0, EXAMPLES);
    byId('examples').replaceChildren(
      ...captions.map((caption) => {
        const chip = create('button', { text: caption });
        chip.type = 'button';
        chip.addEventListener('click', () => search(caption));
        return chip;
      }),
    );
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const query = input.value.trim();
    if (query !== '') search(query);
  });
  more.addEventListener('click', () => show(source, () => '', true));
  files.addEventListener('change', () => {
    if (files.files !== null && files.files.length > 0) add(files.files).finally(() => (files.value = ''));
  });
  document.addEventListener('keydown', (event) => {
    const typing =
      event.target instanceof HTMLElement && event.target.closest('input, textarea, dialog') !== null;
    if (event.key === '/' && !typing && !byId('panel-search').hidden) {
      event.preventDefault();
      input.focus();
    }
  });

  const query = new URLSearchParams(location.search).get('q');
  if (query) search(query);
  else showLatest();
  showExamples().catch(() => undefined);
}

/** @param {number} offset @returns {Promise<Page>} */
function latest(offset) {
  return callJson(`/images?limit=${PAGE}&offset=${offset}`);
}

/** @param {Page} page */
function describeLatest({ total = 0 }) {
  return total === 0
    ? 'The collection is empty. Add some images.'
    : `${total.toLocaleString('en')} images, newest first`;
}

/**
 * What became of the files that were chosen.
 * @param {{ created: number, duplicate: number }} counts
 * @param {number} refused
 */
function addedText({ created, duplicate }, refused) {
  const images = (/** @type {number} */ count) => (count === 1 ? '1 image' : `${count} images`);
  const parts = [`${images(created)} added`];
  if (duplicate > 0) parts.push(`${images(duplicate)} there already`);
  if (refused > 0) parts.push(refused === 1 ? '1 file refused' : `${refused} files refused`);
  return `${parts.join(', ')}.`;
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : 'Something went wrong.';
}
