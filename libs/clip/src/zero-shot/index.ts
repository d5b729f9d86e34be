export { REFERENCE_LABELS, textCenter } from './background.js';
export { DEFAULT_HYPOTHESIS_TEMPLATE, labelPrompts } from './prompts.js';
export { NONE_OF_THE_ABOVE, rankLabels, type RankedLabel, type RankLabelsOptions } from './rank-labels.js';
export { ensembleEmbeds, TEMPLATE_SETS } from './templates.js';
