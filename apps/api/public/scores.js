/** Labels as they are typed, and their scores as bars. */
import { create, filled } from './dom.js';

/** @typedef {{ label: string, score: number, similarity: number }} Score */

/** Where the labels of a tab are kept. */
export const LABELS_KEY = 'labels';
export const EXAMPLE_LABELS =
  'a person, a dog, a cat, a car, a building, food, a circle, a square, a triangle';
/** The class that `background` adds. */
const NONE = 'none of the above';

/** @param {string} text one per line or separated by commas */
export const readLabels = (text) =>
  [...new Set(text.split(/[\n,]/).map((label) => label.trim()))].filter(Boolean);

/** @param {string} text one per line; an empty text stands for the label by itself */
export function readTemplates(text) {
  const lines = text.split('\n').map((line) => line.trim());
  const templates = [...new Set(lines)].filter(Boolean);
  return templates.length === 0 ? ['{}'] : templates;
}

/** @param {Score} entry */
export function bar({ label, score, similarity }) {
  const percent = create('b', { text: `${(score * 100).toFixed(1)} %` });
  percent.title = `Cosine ${similarity.toFixed(4)}`;
  return create('li', { class: 'bar' }, [filled(score), create('span', { text: label }), percent]);
}

/** A sentence about the scores. @param {Score[]} scores best first */
export function summary([best]) {
  return best === undefined || best.label === NONE
    ? 'None of the labels fits.'
    : `Most likely: ${best.label}`;
}
