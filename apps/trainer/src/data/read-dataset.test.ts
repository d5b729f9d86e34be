import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openData, pickEvaluationSplit, readTrainingData } from './read-dataset.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'dataset-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(name: string, content: string | object = ''): Promise<void> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
}

const captions = (images: Record<string, unknown>) => ({
  images: Object.keys(images).map((file_name, id) => ({ id, file_name })),
  annotations: Object.values(images).map((caption, image_id) => ({ image_id, caption })),
});

describe('the data of a run', () => {
  it('has the splits with the usual names of its format', async () => {
    await put('train.csv', 'image,caption\na.jpg,one\n');
    await put('validation.csv', 'image,caption\nb.jpg,two\n');
    for (const name of ['a.jpg', 'b.jpg']) await put(name);
    const { training, validation } = await readTrainingData(folder, {});
    expect([training.split, validation.split]).toEqual(['train', 'validation']);
    expect(validation.images.map(({ captions }) => captions)).toEqual([['two']]);
    expect(pickEvaluationSplit(await openData(folder), folder, undefined)).toBe('validation');
  });

  it('holds images out for validation where there is one split, always the same ones', async () => {
    const lines = Array.from({ length: 200 }, (_, n) => `${n}.jpg,caption ${n}`);
    await put('all.csv', ['image,caption', ...lines].join('\n'));
    for (let n = 0; n < 200; n++) await put(`${n}.jpg`);
    const first = await readTrainingData(path.join(folder, 'all.csv'), {});
    const names = first.validation.images.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(3);
    expect(names.length).toBeLessThan(25);
    expect(first.training.images.length + names.length).toBe(200);
    expect(first.training.warnings).toEqual([
      `no validation split: ${names.length} of 200 images are held out for it`,
    ]);
    const again = await readTrainingData(path.join(folder, 'all.csv'), {});
    expect(again.validation.images.map(({ name }) => name)).toEqual(names);
  });

  it('is refused by name where an annotation could mean another picture', async () => {
    await put(
      'annotations/captions_train2017.json',
      captions({ 'a/1.jpg': 'one', 'b/1.jpg': 'two', '2.jpg': 'x' }),
    );
    await put('annotations/captions_val2017.json', captions({ '2.jpg': 'x' }));
    for (const name of ['b/1.jpg', '2.jpg']) await put(name);
    await expect(readTrainingData(folder, {})).rejects.toThrow(
      /1 of 3 images of train2017 cannot be used: a\/1\.jpg \(/,
    );
  });

  it('leaves out what is incomplete, and says how many', async () => {
    await put(
      'annotations/captions_train2017.json',
      captions({ '1.jpg': 'one', '2.jpg': null, '3.jpg': ' ' }),
    );
    await put('annotations/captions_val2017.json', captions({ '1.jpg': 'one' }));
    for (const name of ['1.jpg', '2.jpg', '3.jpg']) await put(`train2017/${name}`);
    const { training } = await readTrainingData(folder, {});
    expect(training.images.map(({ name }) => name)).toEqual(['train2017/1.jpg']);
    expect(training.warnings).toEqual([
      'train2017: 2 images have no caption and are left out: train2017/2.jpg, train2017/3.jpg',
      'train2017: 2 captions are empty or not texts and are left out: 2.jpg, 3.jpg',
    ]);
  });

  it('names the splits that are there, and the format that it was read as', async () => {
    await put('annotations/captions_spring.json', captions({ '1.jpg': 'one' }));
    await put('annotations/captions_autumn.json', captions({ '1.jpg': 'one' }));
    await put('1.jpg');
    await expect(readTrainingData(folder, {})).rejects.toThrow('--train-split; it has autumn, spring');
    await expect(readTrainingData(folder, { training: 'x' })).rejects.toThrow(
      'no split x; it has autumn, spring',
    );
    const bare = path.join(folder, 'bare');
    await put('bare/1.jpg');
    await expect(readTrainingData(bare, {})).rejects.toThrow(
      'no image has a caption (read as images); add captions',
    );
  });
});
