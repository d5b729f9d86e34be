/** The search panel: what is looked for, the grid that loads more as it is scrolled, adding images. */
import { callJson } from './api.js';
import { byId, create, showStatus } from './dom.js';
import { startAdding } from './adding.js';
import { startFilters } from './filters.js';
import { startGrid } from './grid.js';
import { startImports } from './imports.js';
import { addressOf, isRanked, nothing, pathOf, readQuestion, textOf, withFirst } from './question.js';
import { startSelection } from './selection.js';
import { startViewer } from './viewer.js';

/**
 * @typedef {import('./question.js').Question} Question
 * @typedef {import('./question.js').Image} Image
 * @typedef {import('./question.js').Page} Page
 */

const PAGE = 24;
const EXAMPLES = 8;
/** Longer captions make rows of examples that push the images off the screen. */
const LONGEST_EXAMPLE = 45;
/** Images that are loaded again at once for who comes back to a long list. */
const MOST_RESTORED = 480;
/** @type {Record<string, string>} */
const ORDER_WORDS = {
  '': 'newest first',
  oldest: 'oldest first',
  takenNewest: 'last taken first',
  takenOldest: 'first taken first',
};

/**
 * @param {{ classify: (image: Blob, name: string) => void }} actions
 */
export function startSearch(actions) {
  const form = /** @type {HTMLFormElement} */ (byId('search-form'));
  const input = /** @type {HTMLInputElement} */ (byId('query'));
  const more = byId('more');
  const status = byId('search-status');

  /** What is shown now. */
  let question = nothing();
  /** Where its next page begins; null for the first. @type {string | null} */
  let next = null;
  /** How many images are shown, of how many where that is known. @type {{ shown: number, total?: number | undefined }} */
  let extent = { shown: 0 };
  let best = 1;
  /** The address of the list that is shown. */
  let listed = '';
  let turn = 0;
  let loading = false;
  /** What failed last: a first page or one more; it waits for the button. @type {'first' | 'more' | undefined} */
  let stalled;

  /** Reads on as soon as the button comes near; the button itself is for the keyboard. */
  const nearEnd = new IntersectionObserver(
    ([entry]) => {
      if (entry?.isIntersecting && !loading && !more.hidden && stalled === undefined) load(true);
    },
    { rootMargin: '300px' },
  );
  const failed = (/** @type {unknown} */ error) => showStatus(status, messageOf(error), true);
  const filters = startFilters({ change: (changed) => go(changed) });
  const selection = startSelection({
    report: (text, bad) => showStatus(status, text, bad),
    changed: () => Promise.all([load(), filters.refresh(), showExamples()]),
  });
  const view = startViewer({
    classify: actions.classify,
    similar: ({ id }) => go({ ...nothing(), like: id }),
    withTag: (tag) => go({ ...question, tag: [...new Set([...question.tag, tag])] }),
    changed: () => Promise.all([load(), showExamples()]),
    failed,
    closed: ({ id }) => grid.focusOn(id),
  });
  const grid = startGrid({ view, select: (id, box) => selection.toggle(id, box) });

  const added = () => Promise.all([go(nothing()), filters.refresh(), showExamples()]);
  startAdding({ added });
  // An import may end at any time: it does not take away what is looked at.
  startImports({ added: () => Promise.all([load(), filters.refresh(), showExamples()]) });

  /** Shows the first page of the present question, or its next page. */
  async function load(append = false) {
    const mine = ++turn;
    loading = true;
    if (!append) {
      [next, extent] = [null, { shown: 0 }];
      selection.clear();
    }
    grid.wait(true);
    try {
      /** @type {Page} */
      const page = await callJson(pathOf(question, PAGE, next));
      if (mine !== turn) return;
      if (!append) {
        best = page.items[0]?.score ?? 1;
        grid.replace(page.items, best, listed === addressOf(question));
        listed = addressOf(question);
      } else grid.append(page.items, best);
      next = page.nextCursor ?? null;
      extent = { shown: extent.shown + page.items.length, total: page.total ?? extent.total };
      more.hidden = next === null || extent.shown === extent.total;
      setStalled(undefined);
      if (!append) showStatus(status, await describe(question, page));
    } catch (error) {
      if (mine === turn) {
        setStalled(append ? 'more' : 'first');
        failed(error);
      }
    } finally {
      if (mine === turn) {
        grid.wait(false);
        loading = false;
        // Observing it again reports it again if it is still near.
        nearEnd.unobserve(more);
        nearEnd.observe(more);
      }
    }
  }

  /** What failed is not tried again by itself, but by the button. @param {'first' | 'more' | undefined} what */
  function setStalled(what) {
    stalled = what;
    more.textContent = what === undefined ? 'Show more' : 'Try again';
    if (what !== undefined) more.hidden = false;
  }

  /** Shows a question, without a new entry in the history. @param {Question} shown */
  function show(shown) {
    question = shown;
    input.value = question.q[0] ?? '';
    filters.show(question);
    byId('examples').hidden = isRanked(question);
    showStatus(status, isRanked(question) ? 'Searching…' : 'Loading…');
    return load();
  }

  /** Shows the question of the address, as far down as it was when it was left. */
  async function restore() {
    const { shown = 0, top = 0 } = history.state ?? {};
    const asked = readQuestion(location.search);
    await show(asked);
    const isStill = () => question === asked && stalled === undefined && !more.hidden;
    while (isStill() && extent.shown < Math.min(shown, MOST_RESTORED)) await load(true);
    if (question === asked && top > 0) scrollTo({ top, behavior: 'instant' });
  }

  /** How far the list was read, for who comes back to this entry of the history. */
  const remember = () => history.replaceState({ shown: extent.shown, top: scrollY }, '');

  /** Shows a question and gives it an address that Back, Forward and others can use. @param {Question} asked */
  function go(asked) {
    remember();
    history.pushState(null, '', `${location.pathname}${addressOf(asked)}${location.hash}`);
    scrollTo({ top: 0, behavior: 'instant' });
    return show(asked);
  }

  async function showExamples() {
    const { items } = /** @type {Page} */ (await callJson('images?limit=60'));
    const captions = [...new Set(items.flatMap(({ captions }) => captions.slice(0, 1)))]
      .filter((caption) => caption.length <= LONGEST_EXAMPLE)
      .filter((_, index, all) => index % Math.max(1, Math.floor(all.length / EXAMPLES)) === 0)
      .slice(0, EXAMPLES);
    byId('examples').replaceChildren(
      ...captions.map((caption) => {
        const chip = create('button', { text: caption });
        chip.type = 'button';
        chip.addEventListener('click', () => go(withFirst(nothing(), caption)));
        return chip;
      }),
    );
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    go(withFirst(question, input.value.trim()));
  });
  more.addEventListener('click', () => load(stalled !== 'first'));
  window.addEventListener('popstate', restore);
  document.addEventListener('keydown', (event) => {
    const typing =
      event.target instanceof HTMLElement && event.target.closest('input, textarea, dialog') !== null;
    if (event.key === '/' && !typing && !byId('panel-search').hidden) {
      event.preventDefault();
      input.focus();
    }
  });

  // The browser would scroll before the images are there.
  history.scrollRestoration = 'manual';
  window.addEventListener('scrollend', remember);
  restore();
  filters.refresh().catch(() => undefined);
  showExamples().catch(() => undefined);
}

/** What the list is. @param {Question} question @param {Page} page */
async function describe(question, { items, total = 0 }) {
  const { q, weight: _weights, like, order, ...narrowed } = question;
  const conditions = Object.values(narrowed).some((value) => value.length > 0);
  if (items.length === 0) {
    return conditions ? 'No image matches. Remove a condition.' : 'The collection is empty. Add some images.';
  }
  if (q.length > 0) return `Best matches for ${q.map((_, index) => textOf(question, index)).join(' and ')}`;
  if (like !== '') {
    /** @type {Image} */
    const { caption, fileName } = await callJson(`images/${encodeURIComponent(like)}`);
    return `Images like ${caption ?? fileName ?? 'this one'}`;
  }
  return `${total.toLocaleString('en')} ${total === 1 ? 'image' : 'images'}, ${ORDER_WORDS[order] ?? ORDER_WORDS['']}`;
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : 'Something went wrong.';
}
