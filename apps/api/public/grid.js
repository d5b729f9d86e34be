/** The grid of images: its tiles, and how the keyboard moves among them. */
import { showImage } from './api.js';
import { byId, create, filled } from './dom.js';

/** @typedef {import('./question.js').Image} Image */

/**
 * @param {{ view: (image: Image) => void, select: (id: string, box: HTMLInputElement) => void }} actions
 */
export function startGrid(actions) {
  const grid = byId('grid');
  /** @returns {HTMLElement[]} */
  const tiles = () => [...grid.querySelectorAll('.tile')].filter((tile) => tile instanceof HTMLElement);
  const placeOf = (/** @type {EventTarget | null} */ element) =>
    tiles().findIndex((tile) => element instanceof Node && tile.parentElement?.contains(element));

  grid.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const all = tiles();
    const to = target(event.key, placeOf(event.target), columns(all), all.length - 1);
    if (to === undefined) return;
    event.preventDefault();
    all[to]?.focus();
  });

  /** @param {Image} image @param {number} best score of the best match */
  function tile(image, best) {
    const words = image.caption ?? image.fileName;
    const picture = create('img');
    // The words below it say the same, and a button is read with all that is in it.
    picture.alt = words === null ? 'Image' : '';
    picture.loading = 'lazy';
    picture.width = 320;
    picture.height = 320;
    showImage(picture, image.thumbnailUrl);
    const text = create('span', { class: 'tile-text' });
    if (image.score !== undefined) text.append(scoreOf(image.score, best));
    text.append(create('span', { class: 'tile-caption', text: words ?? '' }));
    const button = create('button', { class: 'tile' }, [picture, text]);
    button.type = 'button';
    button.dataset.id = image.id;
    button.addEventListener('click', () => actions.view(image));
    const box = create('input', { class: 'tile-check' });
    box.type = 'checkbox';
    box.setAttribute('aria-label', `Select ${words ?? 'Image'}`);
    box.addEventListener('change', () => actions.select(image.id, box));
    return create('li', {}, [button, box]);
  }

  return {
    /** @param {Image[]} images @param {number} best score of the best match */
    append(images, best) {
      grid.append(...images.map((image) => tile(image, best)));
    },
    /**
     * Shows other images. The focus of a tile goes to the one in its place, or to the first of another list.
     * @param {Image[]} images @param {number} best score of the best match @param {boolean} isSameList
     */
    replace(images, best, isSameList) {
      const place = placeOf(document.activeElement);
      grid.replaceChildren(...images.map((image) => tile(image, best)));
      if (place === -1) return;
      const again = tiles()[isSameList ? Math.min(place, images.length - 1) : 0];
      (again ?? byId('query')).focus();
    },
    /** @param {string} id */
    focusOn(id) {
      tiles()
        .find((tile) => tile.dataset.id === id)
        ?.focus();
    },
    /** @param {boolean} isWaiting for what will take the place of what is shown */
    wait(isWaiting) {
      grid.classList.toggle('waiting', isWaiting);
      grid.setAttribute('aria-busy', String(isWaiting));
    },
  };
}

/** @param {number} score @param {number} best */
function scoreOf(score, best) {
  const line = create('span', { class: 'tile-score' }, [
    create('span', { class: 'hidden', text: 'Score' }),
    create('span', { text: score.toFixed(3) }),
    create('span', { class: 'meter' }, [filled(best > 0 ? score / best : 0)]),
  ]);
  line.title = 'Cosine of the query and the image';
  return line;
}

/** How many tiles the first row has. @param {HTMLElement[]} tiles */
function columns(tiles) {
  const top = (/** @type {HTMLElement | undefined} */ tile) => tile?.getBoundingClientRect().top;
  const second = tiles.findIndex((tile) => top(tile) !== top(tiles[0]));
  return second === -1 ? tiles.length : second;
}

/**
 * Where a key leads from a place of the grid; undefined for other keys.
 * @param {string} key @param {number} from @param {number} row tiles in a row @param {number} last
 */
function target(key, from, row, last) {
  const to = { ArrowLeft: from - 1, ArrowRight: from + 1, ArrowUp: from - row, ArrowDown: from + row }[key];
  if (key === 'Home' || key === 'End') return key === 'Home' ? 0 : last;
  if (to === undefined || from === -1) return undefined;
  // Below the last full row lies the end; above the first there is nothing.
  return to < 0 ? from : Math.min(to, last);
}
