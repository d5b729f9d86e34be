/** How Python opens a checkpoint, for its model card. */
import type { DualEncoder } from '@clip-ts/clip/model';

interface PythonModel {
  model: DualEncoder['config'];
  /** model_type of both towers. */
  visionType: string;
  textType: string;
}

const CLASSES = {
  clip: 'CLIPModel',
  siglip: 'SiglipModel',
  'vision-text-dual-encoder': 'VisionTextDualEncoderModel',
} as const;

function pythonExample({ model }: PythonModel): string {
  const name = CLASSES[model.kind];
  // SigLIP's text tower reads its padding.
  const [padding, inputs] =
    model.kind === 'siglip'
      ? ['"max_length"', 'tokens["input_ids"]']
      : ['True', 'tokens["input_ids"], tokens["attention_mask"]'];
  return `Python:
\`\`\`python
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, ${name}
folder = "path/to/this/folder"
model = ${name}.from_pretrained(folder)
pixels = AutoImageProcessor.from_pretrained(folder)(images=[Image.open("photo.jpg").convert("RGB")], return_tensors="pt")
tokens = AutoTokenizer.from_pretrained(folder)(["a photo of a dog"], padding=${padding}, truncation=True, return_tensors="pt")
with torch.inference_mode():
    image_embeds = torch.nn.functional.normalize(model.get_image_features(pixels["pixel_values"]))
    text_embeds = torch.nn.functional.normalize(model.get_text_features(${inputs}))
\`\`\``;
}

/** The reasons why transformers' VisionTextDualEncoderModel cannot run a model, or gives other embeddings. */
function pythonObstacles({ model, visionType, textType }: PythonModel): string[] {
  if (model.kind !== 'vision-text-dual-encoder') return [];
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

export function pythonUse(summary: PythonModel): string {
  const obstacles = pythonObstacles(summary);
  if (obstacles.length > 0)
    return `transformers' VisionTextDualEncoderModel cannot be used for this model: ${obstacles.join('; ')}.
Use onnx/ from Python.`;
  const { kind, logit_bias_init_value: bias } = summary.model;
  const note =
    bias === undefined || kind === 'siglip'
      ? ''
      : `\n\n${CLASSES[kind]} has no logit_bias and leaves this model's out, with a warning; embeddings are the same.`;
  return pythonExample(summary) + note;
}
