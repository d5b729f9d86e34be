/** Datasets made in a temporary folder, read through the one public function. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataset, readImageBytes, type DatasetSplit } from './index.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dataset-'));
});
afterEach(() => rm(root, { recursive: true }));

async function put(path: string, content: string | Buffer | object = ''): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  const raw = typeof content === 'string' || Buffer.isBuffer(content);
  await writeFile(join(root, path), raw ? content : JSON.stringify(content));
}
const read = async (split: string, path = root) => (await openDataset(path)).read(split);
const captionsOf = ({ images }: DatasetSplit) =>
  Object.fromEntries(images.map(({ name, captions }) => [name, captions]));
const problemsOf = ({ problems }: DatasetSplit) => problems.map(({ code, name }) => `${code} ${name}`);

/** Writes captions_val.json of images `[id, file_name]` with the caption `ID` each, and empty files. */
async function coco(images: [id: unknown, fileName: unknown][], files: string[], annotations?: unknown[]) {
  await put('annotations/captions_val.json', {
    info: { nested: [{ images: [1] }] },
    images: images.map(([id, file_name]) => ({ id, file_name })),
    annotations: annotations ?? images.map(([id]) => ({ image_id: id, caption: `caption ${String(id)}` })),
  });
  for (const file of files) await put(file);
}

describe('a dataset in COCO format', () => {
  it('gives files of one name in two folders their own captions', async () => {
    await coco([[1, 'a/1.jpg'], [2, 'b/1.jpg']], ['images/val/a/1.jpg', 'images/val/b/1.jpg']); // prettier-ignore
    expect(captionsOf(await read('val'))).toEqual({
      'images/val/a/1.jpg': ['caption 1'],
      'images/val/b/1.jpg': ['caption 2'],
    });
  });

  it('never takes a file of the same bare name for a missing one', async () => {
    await coco([[1, 'a/1.jpg'], [2, 'b/1.jpg']], ['images/val/b/1.jpg']); // prettier-ignore
    const split = await read('val');
    expect(captionsOf(split)).toEqual({ 'images/val/b/1.jpg': ['caption 2'] });
    expect(problemsOf(split)).toEqual(['image_missing a/1.jpg']);
  });

  it('refuses a bare name that several files bear, and takes one that a single file bears', async () => {
    await coco([[1, 'x/1.jpg'], [2, '2.jpg']], ['other/a/1.jpg', 'other/b/1.jpg', 'train2017/2.jpg']); // prettier-ignore
    const split = await read('val');
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
    const split = await read('val');
    expect(captionsOf(split)).toEqual({ 'val/3.jpg': ['caption 3'] });
    expect(problemsOf(split)).toEqual(['id_repeated 2.jpg']);
  });

  it('tells ids beyond 2^53 apart, and takes strings for ids', async () => {
    await put(
      'annotations/captions_val.json',
      '{"images": [{"id": 9007199254740993, "file_name": "1.jpg"}, {"id": 9007199254740992, "file_name": "2.jpg"},' +
        '{"id": "three", "file_name": "3.jpg"}], "annotations": [{"image_id": 9007199254740992, "caption": "two"},' +
        '{"image_id": 9007199254740993, "caption": "one"}, {"image_id": "three", "caption": "three"}]}',
    );
    for (const name of ['1.jpg', '2.jpg', '3.jpg']) await put(`val/${name}`);
    expect(captionsOf(await read('val'))).toEqual({
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
    const split = await read('val');
    expect(split.problems).toEqual([]);
    expect(split.images.map(({ captions }) => captions[0])).toEqual(['caption 1', 'caption 2', 'caption 3']);
  });

  it('does not guess between files that differ in case only', async () => {
    await coco([[1, 'A.jpg'], [2, 'B.JPG']], ['val/A.jpg', 'val/a.jpg', 'val/b.jpg', 'val/B.jpg']); // prettier-ignore
    const split = await read('val');
    expect(captionsOf(split)).toEqual({ 'val/A.jpg': ['caption 1'] });
    expect(problemsOf(split)).toEqual(['image_ambiguous B.JPG']);
  });

  it.each(['../1.jpg', '/etc/1.jpg', 'C:\\1.jpg', '..\\1.jpg', 'a\u0000.jpg', ''])(
    'does not look outside for %j',
    async (name) => {
      await coco([[1, name]], ['val/1.jpg']);
      const split = await read('val');
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
    const split = await read('val');
    expect(captionsOf(split)).toEqual({ 'val/1.jpg': ['nice \ufffd'], 'val/2.jpg': [] });
    expect(problemsOf(split)).toEqual([
      ...Array<string>(4).fill('caption_invalid 1.jpg'),
      'annotation_orphaned 9',
      'caption_missing val/2.jpg',
    ]);
  });

  it('reads a file that begins with a byte order mark and lists annotations first', async () => {
    await put(
      'annotations/captions_val.json',
      '\ufeff{"annotations": [{"image_id": 1, "caption": "first"}], "images": [{"id": 1, "file_name": "1.jpg"}]}',
    );
    await put('1.jpg');
    expect(captionsOf(await read('val'))).toEqual({ '1.jpg': ['first'] });
  });

  it('joins captions and the names of categories', async () => {
    await coco([[1, '1.jpg']], ['val/1.jpg']);
    await put('annotations/instances_val.json', {
      categories: [{ id: 18, name: 'dog' }],
      annotations: [18, 18].map((category_id) => ({ image_id: 1, category_id, segmentation: [[1, 2.5]] })),
      images: [{ id: 1, file_name: '1.jpg' }],
    });
    const dataset = await openDataset(root);
    expect([dataset.format, dataset.splits]).toEqual(['coco', ['val']]);
    expect((await dataset.read('val')).images).toMatchObject([{ captions: ['caption 1'], tags: ['dog'] }]);
  });

  it('takes one entry of a file given twice for one image', async () => {
    await coco([[1, '1.jpg'], [2, './1.jpg']], ['val/1.jpg']); // prettier-ignore
    expect(captionsOf(await read('val'))).toEqual({ 'val/1.jpg': ['caption 1', 'caption 2'] });
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
    await put('annotations/captions_val.json', content);
    await expect(read('val')).rejects.toThrow(message);
    await expect(read('val')).rejects.toMatchObject({ code: 'DATASET_INVALID' });
  });

  it('follows links inside the dataset, and none that lead out or in a circle', async () => {
    await coco([[1, 'linked/1.jpg'], [2, 'passwd.jpg'], [3, '3.jpg']], ['store/1.jpg', 'val/3.jpg']); // prettier-ignore
    await symlink('../store', join(root, 'val/linked'));
    await symlink('..', join(root, 'val/circle'));
    await symlink('/etc/passwd', join(root, 'val/passwd.jpg'));
    const split = await read('val');
    expect(split.images.map(({ captions }) => captions[0])).toEqual(['caption 1', 'caption 3']);
    expect(problemsOf(split)).toEqual(['image_missing passwd.jpg']);
  });

  it('takes a file that links lead to as well for one file where its bare name is looked up', async () => {
    await coco([[1, 'elsewhere/1.jpg']], ['store/1.jpg']);
    await symlink('store', join(root, 'alias'));
    const split = await read('val');
    expect(split.images.map(({ name }) => name)).toEqual(['store/1.jpg']);
  });
});

describe('a table', () => {
  it.each([
    ['data.csv', '\ufeffImage,Caption\na.jpg,"a dog, asleep"\na.jpg,"the ""dog"""\nb/c.jpg,a cat\n'],
    ['data.tsv', 'file_name\ttext\na.jpg\ta dog, asleep\na.jpg\tthe "dog"\nb/c.jpg\ta cat\n'],
    [
      'data.jsonl',
      '{"image": "a.jpg", "captions": ["a dog, asleep", "the \\"dog\\""]}\n\n{"image": "b/c.jpg", "captions": ["a cat"]}',
    ],
  ])('%s gives images with their captions', async (name, content) => {
    await put(name, content);
    for (const file of ['a.jpg', 'images/b/c.jpg']) await put(file);
    const expected = { 'a.jpg': ['a dog, asleep', 'the "dog"'], 'images/b/c.jpg': ['a cat'] };
    expect(captionsOf(await read('all', join(root, name)))).toEqual(expected);
    expect(captionsOf(await read('data'))).toEqual(expected);
  });

  it('reads several caption columns, tags and a split column', async () => {
    await put(
      'metadata.csv',
      'file,caption_1,caption_2,label,split\n1.jpg,one,,x,train\n2.jpg,two,zwei,y,val\n',
    );
    for (const file of ['1.jpg', '2.jpg']) await put(file);
    const dataset = await openDataset(root);
    expect(dataset.splits).toEqual(['train', 'val']);
    expect(await dataset.read('val')).toMatchObject({
      images: [{ name: '2.jpg', captions: ['two', 'zwei'], tags: ['y'] }],
      problems: [],
    });
    expect((await dataset.read('train')).problems).toEqual([]);
  });

  it('names rows without a file, a caption or a name', async () => {
    await put('val.csv', 'image,caption\n1.jpg,\n2.jpg,gone\n,nameless\n../3.jpg,outside\n');
    await put('1.jpg');
    const split = await read('val');
    expect(captionsOf(split)).toEqual({ '1.jpg': [] });
    expect(problemsOf(split)).toEqual([
      'caption_invalid 1.jpg',
      `name_invalid ${root}/val.csv, line 4`,
      'caption_missing 1.jpg',
      'image_missing 2.jpg',
      'name_invalid ../3.jpg',
    ]);
  });

  it.each([
    ['x.csv', 'a,b\n1,2\n', 'no column names the image'],
    ['x.csv', 'image,caption\n"a.jpg,open\n', 'Quote'],
    ['x.csv', 'image,caption\na.jpg,one,two\n', 'Invalid Record Length'],
    ['x.jsonl', '{"image": "a.jpg"\n', 'line 1 is not JSON'],
    ['x.jsonl', '[1]\n', 'line 1 is not an object'],
  ])('says what is wrong with %s: %j', async (name, content, message) => {
    await put(name, content);
    await expect(openDataset(join(root, name))).rejects.toThrow(message);
  });
});

describe('webdataset shards', () => {
  async function shard(name: string, files: Record<string, string>, format = 'ustar'): Promise<void> {
    const folder = join(root, 'content');
    for (const [file, content] of Object.entries(files)) await put(`content/${file}`, content);
    const members = Object.keys(files);
    execFileSync('tar', [`--format=${format}`, '-cf', join(root, name), '-C', folder, ...members]);
    await rm(folder, { recursive: true });
  }
  const LONG = `${'long/'.repeat(40)}café-2.png`;

  it.each(['ustar', 'pax', 'gnu'])('are read by sample, bytes included (%s)', async (format) => {
    const files: Record<string, string> = {
      'one.jpg': 'JPEG-1',
      'one.txt': ' a dog ',
      'one.cls': '3',
      'two.seg.json': '{}',
      'two.png': 'PNG-2',
      'two.json': '{"caption": "a cat", "width": 3}',
    };
    if (format !== 'ustar') files[LONG] = 'PNG-LONG';
    await shard('train-000000.tar', files, format);
    await shard('train-000001.tar', { 'three.jpg': 'JPEG-3', 'three.txt': '' }, format);
    const dataset = await openDataset(root);
    expect([dataset.format, dataset.splits]).toEqual(['webdataset', ['train']]);
    const split = await dataset.read('train');
    expect(captionsOf(split)).toEqual({
      'train-000000.tar#one.jpg': ['a dog'],
      'train-000000.tar#two.png': ['a cat'],
      ...(format !== 'ustar' && { [`train-000000.tar#${LONG}`]: [] }),
      'train-000001.tar#three.jpg': [],
    });
    expect(split.images[0]!.tags).toEqual(['3']);
    const bytes = await Promise.all(split.images.map(({ location }) => readImageBytes(location)));
    expect(bytes.map((content) => Buffer.from(content).toString())).toContain('PNG-2');
    if (format !== 'ustar') expect(Buffer.from(bytes[2]!).toString()).toBe('PNG-LONG');
  });

  it('that are cut off or no archives are refused', async () => {
    await shard('val-0.tar', { 'one.jpg': 'x'.repeat(5000), 'one.txt': 'a dog' });
    const whole = execFileSync('cat', [join(root, 'val-0.tar')]);
    await writeFile(join(root, 'val-0.tar'), whole.subarray(0, 3000));
    await expect(read('val')).rejects.toThrow('damaged or cut off');
    await writeFile(join(root, 'val-0.tar'), 'x'.repeat(2000));
    await expect(read('val')).rejects.toThrow('no valid header at byte 0');
  });
});

describe('a folder of images', () => {
  it('captions images by the folder that they lie in', async () => {
    for (const file of [
      'train/golden_retriever/1.jpg',
      'train/cat/2.PNG',
      'val/cat/3.webp',
      'train/cat/notes.txt',
    ])
      await put(file);
    const dataset = await openDataset(root, { templates: ['a photo of a {}.', '{}'] });
    expect([dataset.format, dataset.splits]).toEqual(['class-folders', ['train', 'val']]);
    expect(
      (await dataset.read('train')).images.map(({ name, captions, tags }) => [name, captions, tags]),
    ).toEqual([
      ['train/cat/2.PNG', ['a photo of a cat.', 'cat'], ['cat']],
      [
        'train/golden_retriever/1.jpg',
        ['a photo of a golden retriever.', 'golden retriever'],
        ['golden retriever'],
      ],
    ]);
  });

  it('without sub-folders has images without captions', async () => {
    for (const file of ['1.jpg', '.hidden.jpg', 'notes.txt']) await put(file);
    const dataset = await openDataset(root);
    expect([dataset.format, dataset.splits]).toEqual(['images', ['all']]);
    expect(problemsOf(await dataset.read('all'))).toEqual(['caption_missing 1.jpg']);
  });
});

describe('what is no dataset', () => {
  it('is refused with a code', async () => {
    await put('notes.txt');
    await expect(openDataset(join(root, 'absent'))).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
    await expect(openDataset(join(root, 'notes.txt'))).rejects.toMatchObject({ code: 'DATASET_INVALID' });
  });
});

describe.skipIf(process.env.CLIP_TEST_DATA === undefined)('real datasets (CLIP_TEST_DATA)', () => {
  it('are read whole', async () => {
    const mini = await openDataset(join(process.env.CLIP_TEST_DATA!, 'coco-mini'));
    const train = await mini.read('train2017');
    expect(train.images).toHaveLength(80);
    expect(train.problems).toEqual([]);
    expect(train.images[0]!.tags.length).toBeGreaterThan(0);
    const flickr = await openDataset(join(process.env.CLIP_TEST_DATA!, 'flickr8k-coco'));
    const images = (await flickr.read('train2017')).images;
    expect([images.length, images.flatMap(({ captions }) => captions).length]).toEqual([6000, 30_000]);
  });
});
