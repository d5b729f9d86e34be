/**
 * Folders in the layout of transformers.js, whose ONNX models differ from ours: no attention_mask, other output
 * names, rows that are not unit vectors, texts padded to a fixed length.
 */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClipEncoder, rankLabels } from '@clip-ts/clip';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { exportOnnx, type ExportSpec } from 'tfjs-onnxruntime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IMAGE_SIZE, WORDS, writeTinyCheckpoint } from './tiny-checkpoint.js';

/** Row w: the embedding of word w, after four special tokens whose rows are told apart by their last number. */
const TABLE = Array.from({ length: 4 + WORDS.length }, (_, id) => [
  Math.sin(id),
  Math.cos(id),
  id === 0 ? 1 : 0,
]);

let root: string;
let folder: string;
let image: Buffer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clip-transformers-js-'));
  folder = join(root, 'siglip');
  await tf.setBackend('onnxruntime');
  await writeTinyCheckpoint(folder);
  await rm(join(folder, 'model.safetensors'));
  await rm(join(folder, 'README.md'), { force: true });
  const write = async (name: string, fn: Parameters<typeof exportOnnx>[0], inputs: ExportSpec['inputs']) =>
    writeFile(join(folder, 'onnx', name), await exportOnnx(fn, { inputs }));
  await write(
    'vision_model.onnx',
    ({ pixel_values }) => ({
      last_hidden_state: tf.reshape(pixel_values!, [-1, IMAGE_SIZE * IMAGE_SIZE, 3]),
      pooler_output: tf.mul(tf.mean(pixel_values!, [2, 3]), 5),
    }),
    { pixel_values: { shape: ['batch', 3, IMAGE_SIZE, IMAGE_SIZE], dtype: 'float32' } },
  );
  await write(
    'text_model.onnx',
    ({ input_ids }) => ({
      pooler_output: tf.sum(tf.gather(tf.tensor2d(TABLE), tf.cast(input_ids!, 'int32')), 1),
    }),
    { input_ids: { shape: ['batch', 'tokens'], dtype: 'int64' } },
  );
  image = await sharp({ create: { width: 9, height: 9, channels: 3, background: '#ff0080' } })
    .png()
    .toBuffer();
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** The sum of the table's rows, as a unit vector. */
function expected(ids: number[]): number[] {
  const sum = [0, 1, 2].map((column) => ids.reduce((total, id) => total + TABLE[id]![column]!, 0));
  const length = Math.hypot(...sum);
  return sum.map((value) => value / length);
}

function expectClose(actual: Float32Array, wanted: number[]): void {
  expect([...actual]).toEqual(wanted.map((value) => expect.closeTo(value, 5) as number));
}

describe('ClipEncoder on folders of transformers.js', () => {
  it('SigLIP: pooler outputs become unit vectors, texts are padded to the full length, scores are sigmoids', async () => {
    const config = { model_type: 'siglip', text_config: { max_position_embeddings: 7 } };
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const encoder = await ClipEncoder.load(folder);
    expect(encoder.embeddingSize).toBe(3);
    const [red] = await encoder.encodeTexts(['red']);
    expectClose(red!, expected([2, 4 + WORDS.indexOf('red'), 3, 0, 0, 0, 0]));
    const [cut] = await encoder.encodeTexts(['red red red red red red red red']);
    expectClose(cut!, expected([2, 7, 7, 7, 7, 7, 3]));
    const [embed] = await encoder.encodeImages([image]);
    const pixels = [1, -1, 128 / 127.5 - 1];
    expectClose(
      embed!,
      pixels.map((value) => value / Math.hypot(...pixels)),
    );
    expect(encoder.logitBias).toBeCloseTo(-12.93);
    const { logitScale, logitBias } = encoder;
    const [{ score } = { score: NaN }] = rankLabels(embed!, [embed!], ['itself'], { logitScale, logitBias });
    expect(score).toBeCloseTo(1, 5);
    await encoder.dispose();
  });

  it('CLIP: texts are padded to the longest only, and the published scale stands in', async () => {
    const clip = join(root, 'clip');
    await cp(folder, clip, { recursive: true });
    await writeFile(join(clip, 'config.json'), '{"model_type":"clip","projection_dim":3}');
    const encoder = await ClipEncoder.load(clip);
    const [red, both] = await encoder.encodeTexts(['red', 'red circle']);
    expectClose(red!, expected([2, 7, 3, 0]));
    expectClose(both!, expected([2, 7, 10, 3]));
    expect([encoder.logitScale, encoder.logitBias]).toEqual([100, undefined]);
    await encoder.dispose();
    await writeFile(join(clip, 'config.json'), '{"model_type":"clip","projection_dim":512}');
    await expect(ClipEncoder.load(clip)).rejects.toThrow('expected 3, found 512');
  });
});
