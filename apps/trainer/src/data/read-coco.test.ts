import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listSplits, readCocoInstances, readCocoSplit } from './read-coco.js';

const data = process.env.CLIP_TEST_DATA;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'coco-'));
  await mkdir(path.join(folder, 'annotations'));
});
afterEach(() => rm(folder, { recursive: true }));

const CAPTIONS = {
  images: [
    { id: 1, file_name: 'a.jpg' },
    { id: 2, file_name: 'b.jpg' },
    { id: 3, file_name: 'c.jpg' },
  ],
  annotations: [
    { image_id: 1, caption: ' a red bus ' },
    { image_id: 2, caption: 'a dog' },
    { image_id: 1, caption: 'a bus' },
    { image_id: 2, caption: '  ' },
  ],
};

async function annotate(content: unknown, name = 'captions_val2017.json'): Promise<void> {
  await writeFile(
    path.join(folder, 'annotations', name),
    typeof content === 'string' ? content : JSON.stringify(content),
  );
}

async function files(where: string, ...names: string[]): Promise<void> {
  await mkdir(path.join(folder, where), { recursive: true });
  for (const name of names) await writeFile(path.join(folder, where, name), '');
}

describe('COCO reader', () => {
  it.each(['images/val2017', 'val2017', 'images/train2017', 'train2017'])(
    'finds files in %s',
    async (where) => {
      await annotate(CAPTIONS);
      await files(where, 'a.jpg', 'b.jpg', 'c.jpg');
      const { images } = await readCocoSplit(folder, 'val2017');
      expect(images.map(({ id, captions }) => [id, captions])).toEqual([
        [1, ['a red bus', 'a bus']],
        [2, ['a dog']],
      ]);
      expect(images[0]!.file).toBe(path.join(folder, where, 'a.jpg'));
    },
  );

  it('leaves out images without a caption and says how many', async () => {
    await annotate(CAPTIONS);
    await files('val2017', 'a.jpg', 'b.jpg');
    const { warnings } = await readCocoSplit(folder, 'val2017');
    expect(warnings).toEqual(['1 images of val2017 have no caption and are left out: c.jpg']);
  });

  it('names missing files with their count', async () => {
    await annotate(CAPTIONS);
    await files('images/val2017', 'a.jpg');
    await expect(readCocoSplit(folder, 'val2017')).rejects.toThrow(
      '1 of 3 image files of val2017 are missing: b.jpg',
    );
  });

  it('names the splits that are there, and the field that is wrong', async () => {
    await annotate(CAPTIONS, 'captions_test.json');
    await expect(readCocoSplit(folder, 'val2017')).rejects.toThrow('it has test');
    expect(await listSplits(folder)).toEqual(['test']);
    await annotate({ images: [{ id: 'one', file_name: 'a.jpg' }], annotations: [] });
    await expect(readCocoSplit(folder, 'val2017')).rejects.toThrow('"images.0.id": expected an integer');
    await annotate('{');
    await expect(readCocoSplit(folder, 'val2017')).rejects.toThrow('is not JSON');
  });

  it('reads the categories of the objects on each image, or nothing without instances', async () => {
    expect(await readCocoInstances(folder, 'val2017')).toBeUndefined();
    const categories = [{ id: 18, name: 'dog' }];
    const annotations = [
      { image_id: 2, category_id: 18, bbox: [0, 0, 1, 1], area: 1 },
      { image_id: 2, category_id: 18, bbox: [1, 1, 1, 1], area: 1 },
    ];
    await annotate({ images: [], annotations, categories }, 'instances_val2017.json');
    const instances = await readCocoInstances(folder, 'val2017');
    expect(instances).toEqual({ categories: new Map([[18, 'dog']]), objects: new Map([[2, [18, 18]]]) });
  });

  it.skipIf(!data)('reads an extract of COCO whose files of both splits lie in one folder', async () => {
    const mini = path.join(data!, 'coco-mini');
    expect((await readCocoSplit(mini, 'train2017')).images).toHaveLength(80);
    expect((await readCocoSplit(mini, 'val2017')).images).toHaveLength(79);
    expect((await readCocoInstances(mini, 'val2017'))!.categories.get(1)).toBe('person');
  });
});
