/** Starts the page: the two panels, the tabs between them, and the line about the model. */
import { callJson } from './api.js';
import { startClassify } from './classify.js';
import { byId, showStatus } from './dom.js';
import { startModels } from './models.js';
import { startSearch } from './search.js';

const TABS = ['search', 'classify'];

/** @param {string} chosen @param {boolean} [focus] */
function select(chosen, focus = false) {
  for (const name of TABS) {
    const tab = byId(`tab-${name}`);
    const selected = name === chosen;
    tab.setAttribute('aria-selected', String(selected));
    tab.tabIndex = selected ? 0 : -1;
    if (selected && focus) tab.focus();
    byId(`panel-${name}`).hidden = !selected;
  }
  history.replaceState(
    history.state,
    '',
    `${location.pathname}${location.search}${chosen === 'search' ? '' : `#${chosen}`}`,
  );
}

for (const [index, name] of TABS.entries()) {
  const tab = byId(`tab-${name}`);
  tab.addEventListener('click', () => select(name));
  tab.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    select(TABS[(index + 1) % TABS.length] ?? name, true);
  });
}

const classifier = startClassify();
startSearch({
  classify: (image, name) => {
    select('classify');
    classifier.use(image, name);
  },
});
if (location.hash === '#classify') select('classify');

/** Says which model answers. */
function showModel() {
  callJson('readyz')
    .then(({ model, index }) =>
      showStatus(
        byId('model'),
        `Model ${model.name} · ${model.embeddingSize} values · ${index.images} images searchable`,
      ),
    )
    .catch((error) => showStatus(byId('model'), error.message, true));
}
startModels({ changed: showModel });
showModel();
