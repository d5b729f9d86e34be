/** Lists that change while people use them: elements that are still wanted stay the same elements. */

/**
 * Shows `children` in `parent`. An element that was there before stays itself, found by its `data-key`, or without one
 * by its tag in order: so a press that has begun on a button counts, an opened list stays open, and the focus stays.
 * What a button does must follow from its key. A focus that is left without its element goes to the first button of the
 * same row, else to the dialog.
 * @param {Element} parent
 * @param {Node[]} children
 */
export function redraw(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest('li');
  replaceContents(parent, children);
  if (focused === null || focused.isConnected) return;
  const button = row?.isConnected ? row.querySelector('button') : null;
  (button ?? parent.closest('dialog'))?.focus();
}

/** @param {Element} parent @param {Node[]} children */
function replaceContents(parent, children) {
  const left = new Set(parent.childNodes);
  const kept = children.map((child) => {
    const same = [...left].find((old) => isSame(old, child));
    if (same === undefined) return child;
    left.delete(same);
    if (same instanceof Element && child instanceof Element) become(same, child);
    else same.textContent = child.textContent;
    return same;
  });
  for (const node of left) node.remove();
  // What is in its place is not moved: that would end a press.
  kept.forEach((node, i) => {
    if (parent.childNodes[i] !== node) parent.insertBefore(node, parent.childNodes[i] ?? null);
  });
}

/** @param {Node} old @param {Node} child */
function isSame(old, child) {
  return old.nodeName === child.nodeName && keyOf(old) === keyOf(child);
}

/** @param {Node} node */
const keyOf = (node) => (node instanceof HTMLElement ? node.dataset.key : undefined);

/** @param {Element} element @param {Element} model */
function become(element, model) {
  for (const { name } of [...element.attributes]) {
    // Whether a list of details is open is the reader's choice.
    if (!model.hasAttribute(name) && name !== 'open') element.removeAttribute(name);
  }
  for (const { name, value } of model.attributes) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  replaceContents(element, [...model.childNodes]);
}
