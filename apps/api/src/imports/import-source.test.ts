import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBelow, resolveImportPath } from './import-root.js';
import { readSource } from './import-source.js';

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
  await put('broken/annotations/captions_x.json', '{');
  await put('wrong/annotations/captions_x.json', { images: [{ id: 1 }] });
  await symlink('/', at('plain', 'out'));
});
afterAll(() => rm(root, { recursive: true }));

describe('reading what to import', () => {
  it('joins captions and category names of a split', async () => {
    expect(await readSource(at('coco'), { format: 'auto', split: 'val2017' })).toEqual([
      { path: at('coco/images/val2017/1.jpg'), captions: ['a dog'], tags: ['dog'] },
      { path: at('coco/images/val2017/2.jpg'), captions: ['a cat'], tags: [] },
    ]);
  });

  it('takes all splits when none is named, same names apart', async () => {
    const images = await readSource(at('coco'), { format: 'auto' });
    expect(images.map(({ path, captions }) => [relative(root, path), captions])).toEqual([
      ['coco/images/train2017/1.jpg', ['a bird']],
      ['coco/images/val2017/1.jpg', ['a dog']],
      ['coco/images/val2017/2.jpg', ['a cat']],
    ]);
  });

  it('takes one annotation file', async () => {
    const file = at('coco/annotations/captions_train2017.json');
    expect(await readSource(file, { format: 'auto' })).toHaveLength(1);
  });

  it('finds images that lie in another folder than their split, and keeps those that are missing', async () => {
    const images = await readSource(at('odd'), { format: 'coco' });
    expect(images.map(({ path }) => relative(root, path))).toEqual([
      'odd/images/train2017/gone.png',
      'odd/val2017/7.png',
    ]);
  });

  it('takes every image below a plain folder, without following links', async () => {
    const images = await readSource(at('plain'), { format: 'auto' });
    expect(images.map(({ path }) => relative(root, path))).toEqual(['plain/a/1.webp', 'plain/b/2.PNG']);
    expect(await readSource(at('plain'), { format: 'auto', limit: 1 })).toHaveLength(1);
  });

  it.each([
    ['broken', /is not JSON/],
    ['wrong', /is not a COCO file: images\.0\.file_name/],
    ['plain/notes.txt', /is not a folder/],
  ])('says what is wrong with %s', async (path, message) => {
    await expect(readSource(at(path), { format: 'auto' })).rejects.toThrow(message);
  });

  it('says which annotation file a split lacks', async () => {
    await expect(readSource(at('coco'), { format: 'auto', split: 'x' })).rejects.toThrow(/captions_x\.json/);
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
