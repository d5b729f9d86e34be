/** Datasets in COCO format: which file an annotation refers to, and what is reported. */
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { captionsOf, problemsOf, useDataset } from '../../test/temporary-dataset.js';
import { openDataset } from './index.js';

const folder = useDataset();

/** Writes captions_val.json of images `[id, file_name]` with the caption `ID` each, and empty files. */
async function coco(images: [id: unknown, fileName: unknown][], files: string[], annotations?: unknown[]) {
  await folder.put('annotations/captions_val.json', {
    info: { nested: [{ images: [1] }] },
    images: images.map(([id, file_name]) => ({ id, file_name })),
    annotations: annotations ?? images.map(([id]) => ({ image_id: id, caption: `caption ${String(id)}` })),
  });
  for (const file of files) await folder.put(file);
}

describe('a dataset in COCO format', () => {
  it('gives files of one name in two folders their own captions', async () => {
    await coco([[1, 'a/1.jpg'], [2, 'b/1.jpg']], ['images/val/a/1.jpg', 'images/val/b/1.jpg']); // prettier-ignore
    expect(captionsOf(await folder.read('val'))).toEqual({
      'images/val/a/1.jpg': ['caption 1'],
      'images/val/b/1.jpg': ['caption 2'],
    });
  });

  it('never takes a file of the same bare name for a missing one', async () => {
    await coco([[1, 'a/1.jpg'], [2, 'b/1.jpg']], ['images/val/b/1.jpg']); // prettier-ignore
    const split = await folder.read('val');
    expect(captionsOf(split)).toEqual({ 'images/val/b/1.jpg': ['caption 2'] });
    expect(problemsOf(split)).toEqual(['image_missing a/1.jpg']);
  });

  it('refuses a bare name that several files bear, and takes one that a single file bears', async () => {
    await coco([[1, 'x/1.jpg'], [2, '2.jpg']], ['other/a/1.jpg', 'other/b/1.jpg', 'train2017/2.jpg']); // prettier-ignore
    const split = await folder.read('val');
    expect(captionsOf(split)).toEqual({ 'train2017/2.jpg': ['caption 2'] });
    expect(split.problems).toEqual([
      {
        code: 'image_ambiguous',
        name: 'x/1.jpg',
        detail: '2 files could be meant: other/a/1.jpg, other/b/1.jpg',
      },
    ]);
  });

  it('leaves out images that share an id, by name, and keeps the others', async () => {
    await coco([[1, '1.jpg'], [1, '2.jpg'], [3, '3.jpg']], ['val/1.jpg', 'val/2.jpg', 'val/3.jpg']); // prettier-ignore
    const split = await folder.read('val');
    expect(captionsOf(split)).toEqual({ 'val/3.jpg': ['caption 3'] });
    expect(problemsOf(split)).toEqual(['id_repeated 2.jpg']);
  });

  it('tells ids beyond 2^53 apart, and takes strings for ids', async () => {
    await folder.put(
      'annotations/captions_val.json',
      '{"images": [{"id": 9007199254740993, "file_name": "1.jpg"}, {"id": 9007199254740992, "file_name": "2.jpg"},' +
        '{"id": "three", "file_name": "3.jpg"}], "annotations": [{"image_id": 9007199254740992, "caption": "two"},' +
        '{"image_id": 9007199254740993, "caption": "one"}, {"image_id": "three", "caption": "three"}]}',
    );
    for (const name of ['1.jpg', '2.jpg', '3.jpg']) await folder.put(`val/${name}`);
    expect(captionsOf(await folder.read('val'))).toEqual({
      'val/1.jpg': ['one'],
      'val/2.jpg': ['two'],
      'val/3.jpg': ['three'],
    });
  });

  it('finds names with backslashes, in another Unicode normalisation and in other case', async () => {
    await coco(
      [[1, 'a\\1.jpg'], [2, 'caf\u00e9.jpg'], [3, 'B.JPG']], // prettier-ignore
      ['val/a/1.jpg', 'val/cafe\u0301.jpg', 'val/b.jpg'],
    );
    const split = await folder.read('val');
    expect(split.problems).toEqual([]);
    expect(split.images.map(({ captions }) => captions[0])).toEqual(['caption 1', 'caption 2', 'caption 3']);
  });

  it('does not guess between files that differ in case only', async () => {
    await coco([[1, 'A.jpg'], [2, 'B.JPG']], ['val/A.jpg', 'val/a.jpg', 'val/b.jpg', 'val/B.jpg']); // prettier-ignore
    const split = await folder.read('val');
    expect(captionsOf(split)).toEqual({ 'val/A.jpg': ['caption 1'] });
    expect(problemsOf(split)).toEqual(['image_ambiguous B.JPG']);
  });

  it.each(['../1.jpg', '/etc/1.jpg', 'C:\\1.jpg', '..\\1.jpg', 'a\u0000.jpg', ''])(
    'does not look outside for %j',
    async (name) => {
      await coco([[1, name]], ['val/1.jpg']);
      const split = await folder.read('val');
      expect(split.images).toEqual([]);
      expect(split.problems[0]!.code).toBe('name_invalid');
    },
  );

  it('names what is wrong with captions and keeps the rest', async () => {
    await coco(
      [[1, '1.jpg'], [2, '2.jpg']], // prettier-ignore
      ['val/1.jpg', 'val/2.jpg'],
      [
        { image_id: 1, caption: null },
        { image_id: 1, caption: '  ' },
        { image_id: 1 },
        { image_id: 1, caption: 7 },
        { image_id: 1, caption: ' nice \ud83d ' },
        { image_id: 9, caption: 'of no image' },
      ],
    );
    const split = await folder.read('val');
    expect(captionsOf(split)).toEqual({ 'val/1.jpg': ['nice \ufffd'], 'val/2.jpg': [] });
    expect(problemsOf(split)).toEqual([
      ...Array<string>(4).fill('caption_invalid 1.jpg'),
      'annotation_orphaned 9',
      'caption_missing val/2.jpg',
    ]);
  });

  it('reads a file that begins with a byte order mark and lists annotations first', async () => {
    await folder.put(
      'annotations/captions_val.json',
      '\ufeff{"annotations": [{"image_id": 1, "caption": "first"}], "images": [{"id": 1, "file_name": "1.jpg"}]}',
    );
    await folder.put('1.jpg');
    expect(captionsOf(await folder.read('val'))).toEqual({ '1.jpg': ['first'] });
  });

  it('joins captions and the names of categories', async () => {
    await coco([[1, '1.jpg']], ['val/1.jpg']);
    await folder.put('annotations/instances_val.json', {
      categories: [{ id: 18, name: 'dog' }],
      annotations: [18, 18].map((category_id) => ({ image_id: 1, category_id, segmentation: [[1, 2.5]] })),
      images: [{ id: 1, file_name: '1.jpg' }],
    });
    const dataset = await openDataset(folder.root);
    expect([dataset.format, dataset.splits]).toEqual(['coco', ['val']]);
    expect((await dataset.read('val')).images).toMatchObject([{ captions: ['caption 1'], tags: ['dog'] }]);
  });

  it('takes one entry of a file given twice for one image', async () => {
    await coco([[1, '1.jpg'], [2, './1.jpg']], ['val/1.jpg']); // prettier-ignore
    expect(captionsOf(await folder.read('val'))).toEqual({ 'val/1.jpg': ['caption 1', 'caption 2'] });
  });

  it.each([
    ['{', 'in the middle of a value'],
    ['{"images": [}', 'it is not JSON'],
    ['[]', 'neither'],
    ['{"images": 3}', '"images" is not an array'],
    ['{"images": [{"id": 1}]}', '"file_name"'],
    ['{"images": [{"file_name": "a.jpg"}]}', '"id"'],
    ['{"images": [null]}', '"id"'],
    ['{"images": [], "annotations": [{"caption": "x"}]}', '"image_id"'],
  ])('says what is wrong with %s', async (content, message) => {
    await folder.put('annotations/captions_val.json', content);
    await expect(folder.read('val')).rejects.toThrow(message);
    await expect(folder.read('val')).rejects.toMatchObject({ code: 'DATASET_INVALID' });
  });

  it('follows links inside the dataset, and none that lead out or in a circle', async () => {
    await coco([[1, 'linked/1.jpg'], [2, 'passwd.jpg'], [3, '3.jpg']], ['store/1.jpg', 'val/3.jpg']); // prettier-ignore
    await symlink('../store', join(folder.root, 'val/linked'));
    await symlink('..', join(folder.root, 'val/circle'));
    await symlink('/etc/passwd', join(folder.root, 'val/passwd.jpg'));
    const split = await folder.read('val');
    expect(split.images.map(({ captions }) => captions[0])).toEqual(['caption 1', 'caption 3']);
    expect(problemsOf(split)).toEqual(['image_missing passwd.jpg']);
  });

  it('takes a file that links lead to as well for one file where its bare name is looked up', async () => {
    await coco([[1, 'elsewhere/1.jpg']], ['store/1.jpg']);
    await symlink('store', join(folder.root, 'alias'));
    const split = await folder.read('val');
    expect(split.images.map(({ name }) => name)).toEqual(['store/1.jpg']);
  });
});
