/**
 * Published CLIP and SigLIP models, fine-tuned from the command line, stay what they were to other programs: the API's
 * loader, transformers.js, and transformers in Python (where PYTHON names an interpreter that has it) give one answer.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ClipEncoder, rankLabels } from '@clip-ts/clip';
import {
  AutoImageProcessor,
  AutoTokenizer,
  CLIPTextModelWithProjection,
  CLIPVisionModelWithProjection,
  env,
  load_image,
  pipeline,
  SiglipTextModel,
  SiglipVisionModel,
  type Tensor,
} from '@huggingface/transformers';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, temporaryFolder, trainer } from './cli.js';
import { writeWholeModel } from './whole-models.js';

const TEXTS = ['a red circle', 'the small blue square'];
const SIDE = 8;

let folder: string;
let remove: () => Promise<void>;
const inFolder = (...names: string[]) => path.join(folder, ...names);

const LAYOUTS = [
  {
    name: 'clip',
    golden: 'clip-finetune',
    padding: true,
    text: CLIPTextModelWithProjection,
    vision: CLIPVisionModelWithProjection,
    python: 'CLIPModel',
  },
  {
    name: 'siglip',
    golden: 'siglip-finetune',
    padding: 'max_length',
    text: SiglipTextModel,
    vision: SiglipVisionModel,
    python: 'SiglipModel',
  },
] as const;

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  const sizes = ['--size', '32', '--train', '8', '--val', '8', '--held-out', '8'];
  expect((await trainer('sample-data', '--output', inFolder('data'), ...sizes)).code).toBe(0);
  const flags = (await configFlags(folder)).slice(2);
  for (const { name, golden } of LAYOUTS) {
    await writeWholeModel(inFolder(`${name}-source`), golden);
    const { code, stderr } = await trainer(
      ...['pretrain', '--data', inFolder('data'), '--output', inFolder(name), '--freeze-epochs', '0'],
      ...['--init-from', inFolder(`${name}-source`), ...flags],
    );
    expect([code, stderr]).toEqual([0, '']);
  }
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (37 * i) % 256);
  await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } }).toFile(inFolder('image.png'));
  env.allowRemoteModels = false;
  env.localModelPath = folder;
});
afterAll(() => remove());

const unit = (values: ArrayLike<number>): number[] => {
  const norm = Math.hypot(...Array.from(values));
  return Array.from(values, (value) => value / norm);
};

/** Rows [n, E] as unit vectors. */
function unitRows({ data, dims }: Tensor): number[][] {
  const values = Array.from(data as Float32Array);
  const width = dims.at(-1)!;
  return Array.from({ length: values.length / width }, (_, n) =>
    unit(values.slice(n * width, (n + 1) * width)),
  );
}

const close = (rows: readonly ArrayLike<number>[]) =>
  rows.map((row) => Array.from(row, (value) => expect.closeTo(value, 4) as number));

async function ownEmbeddings(name: string) {
  const encoder = await ClipEncoder.load(inFolder(name, 'checkpoint'));
  const texts = await encoder.encodeTexts(TEXTS);
  const images = await encoder.encodeImages([inFolder('image.png')]);
  await encoder.dispose();
  return { texts, images };
}

describe.each(LAYOUTS)('a fine-tuned $name model', ({ name, padding, text, vision, python }) => {
  it("gives the API's loader and transformers.js the same embeddings", async () => {
    const own = await ownEmbeddings(name);
    const model = `${name}/checkpoint`;
    const tokenizer = await AutoTokenizer.from_pretrained(model);
    const textModel = await text.from_pretrained(model, { dtype: 'fp32' });
    const inputs = tokenizer(TEXTS, { padding, truncation: true }) as object;
    const ofTexts = (await textModel(inputs)) as Record<string, Tensor>;
    expect(unitRows((ofTexts.text_embeds ?? ofTexts.pooler_output)!)).toEqual(close(own.texts));

    const processor = await AutoImageProcessor.from_pretrained(model);
    const visionModel = await vision.from_pretrained(model, { dtype: 'fp32' });
    const pixels = (await processor(await load_image(inFolder('image.png')))) as object;
    const ofImages = (await visionModel(pixels)) as Record<string, Tensor>;
    expect(unitRows((ofImages.image_embeds ?? ofImages.pooler_output)!)).toEqual(close(own.images));
    await Promise.all([textModel.dispose(), visionModel.dispose()]);
  });

  it('is what the zero-shot pipeline of transformers.js takes', async () => {
    const classify = await pipeline('zero-shot-image-classification', `${name}/checkpoint`, {
      dtype: 'fp32',
    });
    const found = await classify(inFolder('image.png'), TEXTS, { hypothesis_template: '{}' });
    await classify.dispose();
    const encoder = await ClipEncoder.load(inFolder(name, 'checkpoint'));
    const [image] = await encoder.encodeImages([inFolder('image.png')]);
    const scores = rankLabels(image!, await encoder.encodeTexts(TEXTS), TEXTS, encoder);
    await encoder.dispose();
    expect(found).toEqual(
      scores.map(({ label, score }) => ({ label, score: expect.closeTo(score, 4) as number })),
    );
  });

  it.skipIf(process.env.PYTHON === undefined)('gives Python the same text embeddings', async () => {
    const own = await ownEmbeddings(name);
    const program = `
import json, sys, torch
from transformers import AutoTokenizer, ${python}
folder, texts = sys.argv[1], json.loads(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(folder)
inputs = tokenizer(texts, padding=${padding === true ? 'True' : "'max_length'"}, truncation=True, return_tensors='pt')
${python === 'SiglipModel' ? "inputs.pop('attention_mask', None)" : ''}
with torch.no_grad():
    features = ${python}.from_pretrained(folder).eval().get_text_features(**inputs)
print(json.dumps(torch.nn.functional.normalize(features).tolist()))`;
    const args = ['-c', program, inFolder(name, 'checkpoint'), JSON.stringify(TEXTS)];
    const { stdout } = await promisify(execFile)(process.env.PYTHON!, args);
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual(close(own.texts));
  });
});
