/** README.md of a checkpoint: what it is, what it was trained on and how, how good it is, how to use it. */
import path from 'node:path';
import type { TrainingState } from './training-state.js';
import type { MetricsRecord, ValidationRecord } from '../logging/metrics-log.js';
import type { RunSettings } from '../config/run-settings.js';

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
}

const backboneName = (backbone: RunSettings['model']['vision_backbone']) =>
  typeof backbone === 'string'
    ? `${path.isAbsolute(backbone) ? path.basename(backbone) : backbone} (pretrained)`
    : `${backbone.model_type} (from scratch)`;

/** The validation of the best checkpoint so far. */
const bestValidation = (records: readonly MetricsRecord[]): ValidationRecord | undefined =>
  records.filter((record): record is ValidationRecord => record.kind === 'validation' && record.best).at(-1);

const PYTHON_USE = `Python:
\`\`\`python
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, VisionTextDualEncoderModel
folder = "path/to/this/folder"
model = VisionTextDualEncoderModel.from_pretrained(folder)
pixels = AutoImageProcessor.from_pretrained(folder)(images=[Image.open("photo.jpg").convert("RGB")], return_tensors="pt")
tokens = AutoTokenizer.from_pretrained(folder)(["a photo of a dog"], padding=True, truncation=True, return_tensors="pt")
with torch.inference_mode():
    image_embeds = torch.nn.functional.normalize(model.get_image_features(pixels["pixel_values"]))
    text_embeds = torch.nn.functional.normalize(model.get_text_features(tokens["input_ids"], tokens["attention_mask"]))
\`\`\``;

/** The reasons why transformers' VisionTextDualEncoderModel cannot run a model, or gives other embeddings. */
function pythonObstacles({ settings: { model }, visionType, textType }: RunSummary): string[] {
  return [
    ...(model.projection_head === 'residual'
      ? ['it has only the linear part of the residual projection heads (`projection_head` in config.json)']
      : []),
    ...(model.text_pooling === 'pooler'
      ? []
      : [
          `it takes the text tower's pooler, not the ${TEXT_POOLING[model.text_pooling]} (\`text_pooling\` in config.json)`,
        ]),
    ...(visionType === 'resnet' ? ['it does not flatten the features of a resnet'] : []),
    ...(['distilbert', 'siglip_text_model'].includes(textType) ? [`it does not take a ${textType}`] : []),
  ];
}

const TEXT_POOLING = { pooler: 'pooler', cls: 'first token', mean: 'mean of the tokens' } as const;

function pythonUse(summary: RunSummary): string {
  const obstacles = pythonObstacles(summary);
  if (obstacles.length === 0) return PYTHON_USE;
  return `transformers' VisionTextDualEncoderModel cannot be used for this model: ${obstacles.join('; ')}.
Use onnx/ from Python.`;
}

function metricsTable(best: ValidationRecord | undefined): string {
  if (!best) return 'Not validated yet.';
  return `| metric, first caption of each validation image | value |
|---|---|
| loss (chance ${best.chance.toFixed(3)}) | ${best.loss.toFixed(4)} |
| text → image R@10 | ${best.text_to_image_r10.toFixed(4)} |
| image → text R@10 | ${best.image_to_text_r10.toFixed(4)} |`;
}

export function modelCard(
  summary: RunSummary,
  state: TrainingState,
  records: readonly MetricsRecord[],
): string {
  const { settings } = summary;
  const { model } = settings;
  const stages = settings.stages.map(
    ({ name, config }, index) =>
      `${index + 1}. ${name === 'heads' ? 'heads and logit_scale on frozen towers' : 'everything'}: ` +
      `${config.epochs} ${config.epochs === 1 ? 'epoch' : 'epochs'}, batch ${config.batch_size} × ${config.gradient_accumulation_steps}, ` +
      `AdamW at ${config.learning_rate} (${config.lr_scheduler_type}), weight decay ${config.weight_decay}, ` +
      `gradient norm at most ${config.max_grad_norm}, augmentation ${config.augmentation}, seed ${config.seed}`,
  );
  const [height, width] = summary.imageSize;
  return `---
library_name: transformers
pipeline_tag: zero-shot-image-classification
tags: [clip, vision-text-dual-encoder]
---
# CLIP-style dual encoder

| | |
|---|---|
| image tower | ${backboneName(model.vision_backbone)}, ${height}×${width} pixels |
| text tower | ${backboneName(model.text_backbone)}, up to ${summary.maxLength} tokens |
| embedding | ${model.dim} numbers, unit norm, ${model.projection_head} heads |
| parameters | ${summary.parameters.toLocaleString('en')} |
| data | ${summary.datasetName}: ${summary.trainingImages} images for training, ${summary.validationImages} for validation |
| training | ${state.updates} updates, ${Math.round(state.seconds)} s, backend ${summary.backend} |

## Recipe
${stages.join('\n')}

## Metrics
${metricsTable(bestValidation(records))}

## Use
\`onnx/vision_model.onnx\` (pixel_values → image_embeds) and \`onnx/text_model.onnx\` (input_ids, attention_mask →
text_embeds) run in any ONNX Runtime; \`preprocessor_config.json\` and \`tokenizer.json\` say how to make the inputs.

${pythonUse(summary)}
`;
}
