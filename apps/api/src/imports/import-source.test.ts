import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMAGE_FORMATS } from '@clip-ts/clip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBelow, resolveImportPath } from './import-root.js';

import { readSource as readOf, type SourceItem, type SourceOptions } from './import-source.js';

let root: string;
const at = (...parts: string[]) => join(root, ...parts);

async function put(path: string, content: unknown = ''): Promise<void> {
  await mkdir(join(at(path), '..'), { recursive: true });
  await writeFile(at(path), typeof content === 'string' ? content : JSON.stringify(content));
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clip-import-'));
  await put('coco/images/val2017/1.jpg');
  await put('coco/images/val2017/2.jpg');
  await put('coco/images/train2017/1.jpg');
  const images = [
    { id: 1, file_name: '1.jpg' },
    { id: 2, file_name: '2.jpg' },
  ];
  await put('coco/annotations/captions_val2017.json', {
    images,
    annotations: [
      { image_id: 1, caption: ' a dog ' },
      { image_id: 1, caption: 'a dog' },
      { image_id: 2, caption: 'a cat' },
    ],
  });
  await put('coco/annotations/instances_val2017.json', {
    images,
    annotations: [{ image_id: 1, category_id: 18 }],
    categories: [{ id: 18, name: 'dog' }],
  });
  await put('coco/annotations/captions_train2017.json', {
    images: [images[0]],
    annotations: [{ image_id: 1, caption: 'a bird' }],
  });
  await put('odd/val2017/7.png');
  await put('odd/annotations/captions_train2017.json', {
    images: [
      { id: 7, file_name: '7.png' },
      { id: 8, file_name: 'gone.png' },
    ],
    annotations: [],
  });
  await put('plain/b/2.PNG');
  await put('plain/a/1.webp');
  await put('plain/notes.txt');
  await put('plain/.hidden/3.png');
  await put('plain/scan.tiff');
  await put('plain/train/4.jpg');
  await symlink('../b', at('plain/a/linked'));
  await symlink('../b/2.PNG', at('plain/a/5.png'));
  await put('table/photos.csv', 'image,caption,label\nx/1.jpg,a dog,pet\n1.jpg,a cat,\n2.jpg,gone,\n');
  await put('table/x/1.jpg');
  await put('table/1.jpg');
  await put('twice/images/1.jpg');
  await put('twice/annotations/captions_x.json', {
    images: [
      { id: 1, file_name: '1.jpg' },
      { id: 1, file_name: '2.jpg' },
    ],
    annotations: [{ image_id: 1, caption: 'which?' }],
  });
  await put('broken/annotations/captions_x.json', '{');
  await put('wrong/annotations/captions_x.json', { images: [{ id: 1 }] });
  await symlink('/', at('plain', 'out'));
});
afterAll(() => rm(root, { recursive: true }));

const readSource = (path: string, options: Omit<SourceOptions, 'formats'>) =>
  readOf(path, { formats: IMAGE_FORMATS, ...options });
const files = (items: readonly SourceItem[]) => items.map(({ file }) => file);

describe('reading what to import', () => {
  it('joins captions and category names of a split', async () => {
    const file = (name: string) => ({ file: name, location: at('coco', name) });
    expect(await readSource(at('coco'), { format: 'auto', split: 'val2017' })).toEqual([
      { ...file('images/val2017/1.jpg'), captions: ['a dog'], tags: ['dog'] },
      { ...file('images/val2017/2.jpg'), captions: ['a cat'], tags: [] },
    ]);
  });

  it('takes all splits when none is named, same names apart', async () => {
    const items = await readSource(at('coco'), { format: 'auto' });
    expect(items.map((item) => 'captions' in item && [item.file, item.captions])).toEqual([
      ['images/train2017/1.jpg', ['a bird']],
      ['images/val2017/1.jpg', ['a dog']],
      ['images/val2017/2.jpg', ['a cat']],
    ]);
  });

  it('takes one annotation file', async () => {
    const file = at('coco/annotations/captions_train2017.json');
    expect(files(await readSource(file, { format: 'auto' }))).toEqual(['images/train2017/1.jpg']);
  });

  it('finds images that lie in another folder than their split, and keeps those that are missing as failures', async () => {
    expect(await readSource(at('odd'), { format: 'coco' })).toEqual([
      {
        file: 'gone.png',
        code: 'import_unreadable',
        failure: expect.stringContaining('images/train2017') as string,
      },
      { file: 'val2017/7.png', location: at('odd/val2017/7.png'), captions: [], tags: [] },
    ]);
  });

  it('takes every image below a plain folder once, and names links that lead out and formats that are not read', async () => {
    const items = await readSource(at('plain'), { format: 'auto' });
    expect(files(items)).toEqual(['a/1.webp', 'a/5.png', 'b/2.PNG', 'out', 'scan.tiff', 'train/4.jpg']);
    const failed = items.filter((item) => 'failure' in item);
    expect(failed).toEqual([
      { file: 'out', code: 'import_unreadable', failure: 'it leads out of the dataset.' },
      {
        file: 'scan.tiff',
        code: 'unsupported_image_format',
        failure: expect.stringMatching(/jpeg, png, webp, gif .setting IMAGE_FORMATS/) as string,
      },
    ]);
    expect(await readSource(at('plain'), { format: 'folder', limit: 1 })).toHaveLength(1);
  });

  it('tells files of one name apart by their path, in a table as well', async () => {
    expect(await readSource(at('table'), { format: 'auto' })).toEqual([
      { file: '1.jpg', location: at('table/1.jpg'), captions: ['a cat'], tags: [] },
      { file: '2.jpg', code: 'import_unreadable', failure: expect.any(String) as string },
      { file: 'x/1.jpg', location: at('table/x/1.jpg'), captions: ['a dog'], tags: ['pet'] },
    ]);
  });

  it('refuses captions of an id that two images have', async () => {
    const [only, ...more] = await readSource(at('twice'), { format: 'auto' });
    expect(more).toEqual([]);
    expect(only).toMatchObject({ failure: expect.stringContaining('id 1') as string });
  });

  it.each([
    ['broken', /in the middle of a value/],
    ['wrong', /"images" has no usable "file_name"/],
    ['plain/notes.txt', /is not a dataset/],
  ])('says what is wrong with %s', async (path, message) => {
    await expect(readSource(at(path), { format: 'auto' })).rejects.toThrow(message);
    await expect(readSource(at(path), { format: 'auto' })).rejects.toMatchObject({
      code: 'import_unreadable',
    });
  });

  it('says which splits there are where one is asked for that is not, and what is no COCO dataset', async () => {
    const options = { format: 'auto' as const, split: 'x' };
    await expect(readSource(at('coco'), options)).rejects.toThrow(/It has train2017, val2017/);
    await expect(readSource(at('plain'), { format: 'coco' })).rejects.toThrow(/captions_\*\.json/);
    await expect(readSource(at('plain/notes.txt'), { format: 'folder' })).rejects.toThrow('is not a folder');
  });
});

describe('the folders that imports may read', () => {
  it('take relative and absolute paths below them', async () => {
    expect(await resolveImportPath('plain', [root])).toBe(at('plain'));
    expect(await resolveImportPath(at('plain', 'a'), [at('coco'), root])).toBe(at('plain', 'a'));
  });

  it.each(['..', '../..', '/etc', 'plain/../../..', 'plain/out/etc', 'absent'])('refuse %s', async (path) => {
    await expect(resolveImportPath(path, [root])).rejects.toMatchObject({ code: 'import_forbidden' });
  });

  it('are none by default', async () => {
    await expect(resolveImportPath('/tmp', [])).rejects.toThrow(/Imports are off/);
  });

  it('do not take a neighbour with the same beginning for a part', () => {
    expect(isBelow('/data/set2', '/data/set')).toBe(false);
    expect(isBelow('/data/..set', '/data')).toBe(true);
    expect(isBelow('/data', '/data')).toBe(true);
  });
});
