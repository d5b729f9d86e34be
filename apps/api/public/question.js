/** What is looked for: its form in the address of the page, and the requests that answer it. Pure. */

/**
 * @typedef {{ q: string[], weight: string[], not: string[], tag: string[], notTag: string[], collection: string[], minScore: string,
 *   from: string, to: string, takenFrom: string, takenTo: string, order: string, like: string }} Question `weight`: how much
 *   each of `q` counts; `like` is the id of an image
 * @typedef {{ id: string, url: string, thumbnailUrl: string, width: number, height: number, bytes: number,
 *   fileName: string | null, caption: string | null, captions: string[], tags: string[], revision?: number,
 *   takenAt?: string | null, score?: number }} Image
 * @typedef {{ items: Image[], total?: number, nextCursor?: string | null }} Page
 */

export const LISTS = /** @type {const} */ (['q', 'not', 'tag', 'notTag', 'collection']);
/** The ends of the spans of time in which images were added, and taken. */
export const TIMES = /** @type {const} */ (['from', 'to', 'takenFrom', 'takenTo']);
/** How much a text counts that has no weight of its own. */
const EVEN = '1';
export const SINGLES = /** @type {const} */ (['minScore', ...TIMES, 'order', 'like']);

/** @returns {Question} */
export const nothing = () => ({
  ...{ q: [], weight: [], not: [], tag: [], notTag: [], collection: [] },
  ...{ minScore: '', from: '', to: '', takenFrom: '', takenTo: '', order: '', like: '' },
});

/** @param {string} search the query of an address @returns {Question} */
export function readQuestion(search) {
  const given = new URLSearchParams(search);
  const question = nothing();
  for (const name of LISTS) question[name] = given.getAll(name).filter((value) => value.trim() !== '');
  for (const name of SINGLES) question[name] = given.get(name) ?? '';
  const weights = given.getAll('weight');
  // Texts without a place among the weights could not be told apart.
  const fits = weights.length === given.getAll('q').length && question.q.length === weights.length;
  question.weight = question.q.map((_, index) => (fits ? (weights[index] ?? EVEN) : EVEN));
  return question;
}

/** With another first text, which keeps its weight; '' takes it away. @param {Question} question @param {string} text */
export function withFirst(question, text) {
  if (text === '') return { ...withoutText(question, 0), like: '' };
  const [weight = EVEN, ...weights] = question.weight;
  return { ...question, like: '', q: [text, ...question.q.slice(1)], weight: [weight, ...weights] };
}

/** @param {Question} question @param {string} text @param {string} weight '' for one that is even */
export function withText(question, text, weight) {
  if (text === '') return question;
  const rest = withoutText(question, question.q.indexOf(text));
  return { ...rest, like: '', q: [...rest.q, text], weight: [...rest.weight, weight || EVEN] };
}

/** @param {Question} question @param {number} index of the text */
export function withoutText(question, index) {
  const others = (/** @type {unknown} */ _, /** @type {number} */ at) => at !== index;
  return { ...question, q: question.q.filter(others), weight: question.weight.filter(others) };
}

/** With the first text counting as any other. @param {Question} question */
export const withoutFirstWeight = (question) => ({
  ...question,
  weight: [EVEN, ...question.weight.slice(1)],
});

/** “red”, or “red” (×0.5) where it has a weight @param {Question} question @param {number} index */
export function textOf({ q, weight }, index) {
  const counts = weight[index] ?? EVEN;
  return `“${q[index]}”${Number(counts) === 1 ? '' : ` (×${counts})`}`;
}

/** The query of the address that shows a question, '' for none. @param {Question} question */
export function addressOf(question) {
  const parameters = parametersOf(question);
  return parameters.size === 0 ? '' : `?${parameters}`;
}

/** Whether images are ranked, by words or by an image, or only listed. @param {Question} question */
export const isRanked = ({ q, like }) => q.length > 0 || like !== '';

/**
 * The path of one page of the answer. It continues after a cursor, so that what comes or goes meanwhile neither repeats
 * nor hides an image.
 * @param {Question} question @param {number} limit @param {string | null} cursor of the page before, null for the first
 */
export function pathOf(question, limit, cursor) {
  const { q, like } = question;
  const parameters = parametersOf(question);
  parameters.delete('like');
  parameters.set('limit', `${limit}`);
  const unknown = isRanked(question) ? ['order'] : ['minScore', 'not'];
  if (q.length === 0) unknown.push('not');
  for (const name of unknown) parameters.delete(name);
  if (cursor !== null) parameters.set('cursor', cursor);
  if (!isRanked(question)) return `images?${parameters}`;
  if (q.length > 0) return `search?${parameters}`;
  return `images/${encodeURIComponent(like)}/similar?${parameters}`;
}

/** @param {Question} question */
function parametersOf(question) {
  const parameters = new URLSearchParams();
  for (const name of LISTS) for (const value of question[name]) parameters.append(name, value);
  if (question.weight.some((weight) => Number(weight) !== 1))
    for (const weight of question.weight) parameters.append('weight', weight);
  for (const name of SINGLES) if (question[name] !== '') parameters.set(name, question[name]);
  return parameters;
}
