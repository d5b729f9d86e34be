export { REFERENCE_LABELS, cosineOverBackground, textCenter } from './background.js';
export { fitCalibration, type JudgedPair, type LabelCalibration } from './calibration.js';
export { labelPrompts } from './prompts.js';
export { NONE_OF_THE_ABOVE, rankLabels, type RankedLabel, type RankLabelsOptions } from './rank-labels.js';
export { ensembleEmbeds, TEMPLATE_SETS } from './templates.js';
