/** The fields that narrow what is shown, and a chip for each condition, which takes it away again. */
import { callJson } from './api.js';
import { byId, create } from './dom.js';
import { TIMES, textOf, withText, withoutFirstWeight, withoutText } from './question.js';

/** @typedef {import('./question.js').Question} Question */

const TIME_WORDS = { from: 'added from', to: 'added until', takenFrom: 'taken from', takenTo: 'taken until' };

/** @param {{ change: (question: Question) => void }} actions */
export function startFilters(actions) {
  const form = /** @type {HTMLFormElement} */ (byId('filter-form'));
  const select = /** @type {HTMLSelectElement} */ (byId('filter-collection'));
  /** @type {Map<string, string>} */
  let names = new Map();
  /** @type {Question | undefined} */
  let current;

  const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (byId(`filter-${name}`));

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (current === undefined) return;
    const [not, tag] = [field('not').value.trim(), field('tag').value.trim()];
    const [added, excluded] = tag.startsWith('-') ? ['', tag.slice(1).trim()] : [tag, ''];
    actions.change({
      ...withText(current, field('also').value.trim(), field('weight').value),
      not: and(current.not, not),
      tag: and(current.tag, added),
      notTag: and(current.notTag, excluded),
      collection: and(current.collection, select.value),
      minScore: field('score').value,
      ...Object.fromEntries(TIMES.map((name) => [name, field(name).value])),
      order: field('order').value,
    });
  });

  /** Reads the names of the collections again. */
  async function refresh() {
    /** @type {{ items: { id: string, name: string, images: number }[] }} */
    const { items } = await callJson('collections');
    names = new Map(items.map(({ id, name }) => [id, name]));
    const option = (/** @type {string} */ value, /** @type {string} */ text) => {
      const element = create('option', { text });
      element.value = value;
      return element;
    };
    select.replaceChildren(
      option('', 'Any'),
      ...items.map(({ id, name, images }) => option(id, `${name} (${images})`)),
    );
    byId('collection-names').replaceChildren(...items.map(({ name }) => option(name, '')));
    if (current !== undefined) show(current);
  }

  /** @param {Question} question */
  function show(question) {
    current = question;
    for (const name of ['also', 'weight', 'not', 'tag']) field(name).value = '';
    select.value = '';
    field('score').value = question.minScore;
    for (const name of TIMES) field(name).value = question[name];
    field('order').value = question.order;
    byId('active').replaceChildren(...chips(question));
  }

  /** @param {Question} question */
  function chips(question) {
    const without = (
      /** @type {'not' | 'tag' | 'notTag' | 'collection'} */ name,
      /** @type {string} */ value,
    ) => ({
      ...question,
      [name]: question[name].filter((one) => one !== value),
    });
    return [
      ...question.q.flatMap((_, index) =>
        index === 0
          ? firstWeight(question)
          : [chip(`and ${textOf(question, index)}`, withoutText(question, index))],
      ),
      ...question.not.map((text) => chip(`without “${text}”`, without('not', text))),
      ...question.tag.map((tag) => chip(`tag ${tag}`, without('tag', tag))),
      ...question.notTag.map((tag) => chip(`not tag ${tag}`, without('notTag', tag))),
      ...question.collection.map((id) =>
        chip(`in ${names.get(id) ?? 'a collection'}`, without('collection', id)),
      ),
      ...(question.minScore === ''
        ? []
        : [chip(`score ≥ ${question.minScore}`, { ...question, minScore: '' })]),
      ...TIMES.filter((name) => question[name] !== '').map((name) =>
        chip(`${TIME_WORDS[name]} ${question[name]}`, { ...question, [name]: '' }),
      ),
    ];
  }

  /** The first text is in the search field; its weight is not. @param {Question} question */
  const firstWeight = (question) =>
    Number(question.weight[0]) === 1 ? [] : [chip(textOf(question, 0), withoutFirstWeight(question))];

  /** @param {string} text @param {Question} rest the question without this condition */
  function chip(text, rest) {
    const button = create('button', { text: `${text} ×` });
    button.type = 'button';
    button.setAttribute('aria-label', `Remove: ${text}`);
    button.addEventListener('click', () => actions.change(rest));
    return create('li', {}, [button]);
  }

  return { show, refresh };
}

/** @param {string[]} list @param {string} value one more, '' for none */
const and = (list, value) => (value === '' || list.includes(value) ? list : [...list, value]);
