import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SafetensorsFile } from '@clip-ts/clip';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFeatureFile, UnfinishedFeatures, type FeatureShapes } from './feature-file.js';

const SHAPES: FeatureShapes = { image_features: [4, 3], text_features: [3, 2] };
const row = (value: number, width: number) => new Float32Array(width).fill(value);

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'features-'));
  file = path.join(folder, 'cache', 'key.safetensors');
});
afterEach(() => rm(folder, { recursive: true }));

async function fill(unfinished: UnfinishedFeatures): Promise<void> {
  for (let n = unfinished.done.image_features; n < 4; n++) unfinished.write('image_features', [n], row(n, 3));
  for (let n = unfinished.done.text_features; n < 3; n++)
    unfinished.write('text_features', [n], row(10 + n, 2));
  await unfinished.finish();
}

describe('a feature file', () => {
  it('gives back the rows that were written, in any order, and is a safetensors file', async () => {
    await fill(await UnfinishedFeatures.open(file, SHAPES));
    const features = (await openFeatureFile(file, SHAPES))!;
    expect([...features.read('image_features', [3, 0, 3])]).toEqual([3, 3, 3, 0, 0, 0, 3, 3, 3]);
    expect([...features.read('text_features', [1])]).toEqual([11, 11]);
    await features.close();
    const tensors = await SafetensorsFile.open(file);
    expect([...(await tensors.readFloat32('text_features'))]).toEqual([10, 10, 11, 11, 12, 12]);
    await tensors.close();
    expect(await readdir(path.dirname(file))).toEqual(['key.safetensors']);
  });

  it('does not exist until it is complete, and resumes from what was noted', async () => {
    const killed = await UnfinishedFeatures.open(file, SHAPES);
    killed.write('image_features', [0, 1], new Float32Array([0, 0, 0, 1, 1, 1]));
    await killed.note({ image_features: 2, text_features: 0 });
    killed.write('image_features', [2], row(99, 3));
    await killed.close();
    expect(await openFeatureFile(file, SHAPES)).toBeUndefined();

    const resumed = await UnfinishedFeatures.open(file, SHAPES);
    expect(resumed.done).toEqual({ image_features: 2, text_features: 0 });
    await fill(resumed);
    const features = (await openFeatureFile(file, SHAPES))!;
    expect([...features.read('image_features', [0, 1, 2, 3])]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    await features.close();
  });

  it('starts anew when what is left of it has another size', async () => {
    const killed = await UnfinishedFeatures.open(file, SHAPES);
    await killed.note({ image_features: 2, text_features: 0 });
    await killed.close();
    await truncate(`${file}.partial`, 40);
    const resumed = await UnfinishedFeatures.open(file, SHAPES);
    expect(resumed.done).toEqual({ image_features: 0, text_features: 0 });
    await resumed.close();
  });

  it('that is damaged is refused', async () => {
    await fill(await UnfinishedFeatures.open(file, SHAPES));
    await truncate(file, 100);
    await expect(openFeatureFile(file, SHAPES)).rejects.toMatchObject({ code: 'SAFETENSORS_INVALID' });
  });
});
