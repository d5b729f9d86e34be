/** Links of a dataset that lead to another place, such as a disk that holds the images. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataset } from './index.js';
import type { DatasetOptions } from './types.js';

let root: string;
let dataset: string;
let disk: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'links-'));
  [dataset, disk] = [join(root, 'dataset'), join(root, 'disk')];
  await mkdir(dataset);
  await mkdir(disk);
  await writeFile(join(disk, '1.jpg'), '');
});
afterEach(() => rm(root, { recursive: true }));

const namesOf = async (split: string, options: DatasetOptions) =>
  (await (await openDataset(dataset, options)).read(split)).images.map(({ name }) => name);

describe('links out of a dataset', () => {
  it('are followed to the images of annotations where its owner asks for it, and not otherwise', async () => {
    await mkdir(join(dataset, 'annotations'));
    await writeFile(
      join(dataset, 'annotations/captions_val.json'),
      JSON.stringify({
        images: [{ id: 1, file_name: '1.jpg' }],
        annotations: [{ image_id: 1, caption: 'a' }],
      }),
    );
    await symlink(disk, join(dataset, 'images'));
    expect(await namesOf('val', {})).toEqual([]);
    expect(await namesOf('val', { links: 'anywhere' })).toEqual(['images/1.jpg']);
  });

  it('are followed to the images of a table likewise', async () => {
    await writeFile(join(dataset, 'val.csv'), 'image,caption\n1.jpg,a\n');
    await symlink(join(disk, '1.jpg'), join(dataset, '1.jpg'));
    expect(await namesOf('val', {})).toEqual([]);
    expect(await namesOf('val', { links: 'anywhere' })).toEqual(['1.jpg']);
  });

  it('may be splits and classes of a folder of images', async () => {
    await mkdir(join(dataset, 'val'));
    await symlink(disk, join(dataset, 'val/dog'));
    await symlink(disk, join(dataset, 'train'));
    expect((await openDataset(dataset)).splits).toEqual(['val']);
    expect(await namesOf('val', {})).toEqual([]);
    expect((await openDataset(dataset, { links: 'anywhere' })).splits).toEqual(['train', 'val']);
    expect(await namesOf('train', { links: 'anywhere' })).toEqual(['train/1.jpg']);
    expect(await namesOf('val', { links: 'anywhere' })).toEqual(['val/dog/1.jpg']);
  });
});
