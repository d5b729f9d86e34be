/** Small helpers for elements. Text is always set as text, never as HTML. */

/**
 * The element with this id.
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no element ${id}`);
  return /** @type {T} */ (element);
}

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{ class?: string, text?: string }} [options]
 * @param {Node[]} [children]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function create(tag, options = {}, children = []) {
  const element = document.createElement(tag);
  if (options.class !== undefined) element.className = options.class;
  if (options.text !== undefined) element.textContent = options.text;
  element.append(...children);
  return element;
}

/**
 * A bar whose filled part is `share`, 0 to 1.
 * @param {number} share
 */
export function filled(share) {
  const bar = create('i');
  bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return bar;
}

/**
 * Shows a line of text under a form; `bad` for errors.
 * @param {HTMLElement} line
 * @param {string} text
 * @param {boolean} [bad]
 */
export function showStatus(line, text, bad = false) {
  line.textContent = text;
  line.classList.toggle('bad', bad);
}
