/** README.md of a checkpoint: what it is, what it was trained on and how, how good it is, how to use it. */
import path from 'node:path';
import type { DualEncoder } from '@clip-ts/clip/model';
import type { TrainingState } from './training-state.js';
import type { MetricsRecord, ValidationRecord } from '../logging/metrics-log.js';
import type { RunSettings } from '../config/run-settings.js';
import { pythonUse } from './python-use.js';

export interface RunSummary {
  settings: RunSettings;
  backend: string;
  datasetName: string;
  trainingImages: number;
  validationImages: number;
  parameters: number;
  imageSize: readonly [height: number, width: number];
  maxLength: number;
  /** model_type of both towers. */
  visionType: string;
  textType: string;
  /** Layout, heads and pooling. */
  model: DualEncoder['config'];
  /** E */
  embeddingSize: number;
}

const sourceName = (source: string) => (path.isAbsolute(source) ? path.basename(source) : source);

/** Where a tower comes from. */
function origin({ model }: RunSettings, side: 'vision' | 'text', type: string): string {
  if (model.init_from !== undefined) return `${type} (from ${sourceName(model.init_from)})`;
  const backbone = model[`${side}_backbone`];
  return typeof backbone === 'string'
    ? `${sourceName(backbone)} (pretrained)`
    : `${backbone.model_type} (from scratch)`;
}

/** The validation of the best checkpoint so far. */
const bestValidation = (records: readonly MetricsRecord[]): ValidationRecord | undefined =>
  records.filter((record): record is ValidationRecord => record.kind === 'validation' && record.best).at(-1);

function metricsTable(best: ValidationRecord | undefined): string {
  if (!best) return 'Not validated yet.';
  return `| metric, first caption of each validation image | value |
|---|---|
| loss (chance ${best.chance.toFixed(3)}) | ${best.loss.toFixed(4)} |
| text → image R@10 | ${best.text_to_image_r10.toFixed(4)} |
| image → text R@10 | ${best.image_to_text_r10.toFixed(4)} |`;
}

/** Rarely set. */
function otherSettings(config: RunSettings['stages'][number]['config']): string {
  const keys = [
    'loss',
    'label_smoothing',
    'tower_learning_rate',
    'head_learning_rate',
    'logit_scale_learning_rate',
    'layer_decay',
    'lock_tower',
    'unfreeze_last',
  ] as const;
  return keys
    .filter((key) => config[key] !== undefined)
    .map((key) => `, ${key} ${typeof config[key] === 'object' ? JSON.stringify(config[key]) : config[key]}`)
    .join('');
}

export function modelCard(
  summary: RunSummary,
  state: TrainingState,
  records: readonly MetricsRecord[],
): string {
  const { settings, model } = summary;
  const stages = settings.stages.map(
    ({ name, config }, index) =>
      `${index + 1}. ${name === 'heads' ? 'heads and logit_scale on frozen towers' : 'everything'}: ` +
      `${config.epochs} ${config.epochs === 1 ? 'epoch' : 'epochs'}, batch ${config.batch_size} × ${config.gradient_accumulation_steps}, ` +
      `AdamW at ${config.learning_rate} (${config.lr_scheduler_type}), weight decay ${config.weight_decay}, ` +
      `gradient norm at most ${config.max_grad_norm}, augmentation ${config.augmentation}, seed ${config.seed}${otherSettings(config)}`,
  );
  const extensions = state.extensions.map(
    ({ from, to, updates }) => `\nExtended from ${from} to ${to} epochs after ${updates} updates.`,
  );
  const [height, width] = summary.imageSize;
  return `---
library_name: transformers
pipeline_tag: zero-shot-image-classification
tags: [${model.kind === 'clip' ? 'clip' : `clip, ${model.kind}`}]
---
# CLIP-style dual encoder

| | |
|---|---|
| image tower | ${origin(settings, 'vision', summary.visionType)}, ${height}×${width} pixels |
| text tower | ${origin(settings, 'text', summary.textType)}, up to ${summary.maxLength} tokens |
| embedding | ${summary.embeddingSize} numbers, unit norm, ${model.projection_head === 'none' ? 'no' : model.projection_head} heads |
| parameters | ${summary.parameters.toLocaleString('en')} |
| data | ${summary.datasetName}: ${summary.trainingImages} images for training, ${summary.validationImages} for validation |
| training | ${state.updates} updates, ${Math.round(state.seconds)} s, backend ${summary.backend} |

## Recipe
${stages.join('\n')}${extensions.join('')}

## Metrics
${metricsTable(bestValidation(records))}

## Use
\`onnx/vision_model.onnx\` (pixel_values → image_embeds) and \`onnx/text_model.onnx\` (input_ids, attention_mask →
text_embeds) run in any ONNX Runtime; \`preprocessor_config.json\` and \`tokenizer.json\` say how to make the inputs.

${pythonUse(summary)}
`;
}
