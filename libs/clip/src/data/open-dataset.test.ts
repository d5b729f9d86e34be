/** The other formats of datasets, and what is none. */
import { execFileSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { captionsOf, problemsOf, useDataset } from '../../test/temporary-dataset.js';
import { openDataset, readImageBytes } from './index.js';

const folder = useDataset();

describe('a table', () => {
  it.each([
    ['data.csv', '\ufeffImage,Caption\na.jpg,"a dog, asleep"\na.jpg,"the ""dog"""\nb/c.jpg,a cat\n'],
    ['data.tsv', 'file_name\ttext\na.jpg\ta dog, asleep\na.jpg\tthe "dog"\nb/c.jpg\ta cat\n'],
    [
      'data.jsonl',
      '{"image": "a.jpg", "captions": ["a dog, asleep", "the \\"dog\\""]}\n\n{"image": "b/c.jpg", "captions": ["a cat"]}',
    ],
  ])('%s gives images with their captions', async (name, content) => {
    await folder.put(name, content);
    for (const file of ['a.jpg', 'images/b/c.jpg']) await folder.put(file);
    const expected = { 'a.jpg': ['a dog, asleep', 'the "dog"'], 'images/b/c.jpg': ['a cat'] };
    expect(captionsOf(await folder.read('all', join(folder.root, name)))).toEqual(expected);
    expect(captionsOf(await folder.read('data'))).toEqual(expected);
  });

  it.each([
    ['commas.csv', 'image,caption\na.jpg,two dogs ; one is asleep\n', 'two dogs ; one is asleep'],
    ['semicolons.csv', 'image;caption\na.jpg;two dogs, one asleep\n', 'two dogs, one asleep'],
  ])('%s is recognised by its header, whatever captions contain', async (name, content, caption) => {
    await folder.put(name, content);
    await folder.put('a.jpg');
    expect(captionsOf(await folder.read('all', join(folder.root, name)))).toEqual({ 'a.jpg': [caption] });
  });

  it('reads several caption columns, tags and a split column', async () => {
    await folder.put(
      'metadata.csv',
      'file,caption_1,caption_2,label,split\n1.jpg,one,,x,train\n2.jpg,two,zwei,y,val\n',
    );
    for (const file of ['1.jpg', '2.jpg']) await folder.put(file);
    const dataset = await openDataset(folder.root);
    expect(dataset.splits).toEqual(['train', 'val']);
    expect(await dataset.read('val')).toMatchObject({
      images: [{ name: '2.jpg', captions: ['two', 'zwei'], tags: ['y'] }],
      problems: [],
    });
    expect((await dataset.read('train')).problems).toEqual([]);
  });

  it('names rows without a file, a caption or a name', async () => {
    await folder.put('val.csv', 'image,caption\n1.jpg,\n2.jpg,gone\n,nameless\n../3.jpg,outside\n');
    await folder.put('1.jpg');
    const split = await folder.read('val');
    expect(captionsOf(split)).toEqual({ '1.jpg': [] });
    expect(problemsOf(split)).toEqual([
      'caption_invalid 1.jpg',
      `name_invalid ${folder.root}/val.csv, line 4`,
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
    await folder.put(name, content);
    await expect(openDataset(join(folder.root, name))).rejects.toThrow(message);
  });
});

describe('webdataset shards', () => {
  async function shard(name: string, files: Record<string, string>, format = 'ustar'): Promise<void> {
    const content = join(folder.root, 'content');
    for (const [file, content] of Object.entries(files)) await folder.put(`content/${file}`, content);
    const members = Object.keys(files);
    execFileSync('tar', [`--format=${format}`, '-cf', join(folder.root, name), '-C', content, ...members]);
    await rm(content, { recursive: true });
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
    const dataset = await openDataset(folder.root);
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
    const whole = execFileSync('cat', [join(folder.root, 'val-0.tar')]);
    await writeFile(join(folder.root, 'val-0.tar'), whole.subarray(0, 3000));
    await expect(folder.read('val')).rejects.toThrow('damaged or cut off');
    await writeFile(join(folder.root, 'val-0.tar'), 'x'.repeat(2000));
    await expect(folder.read('val')).rejects.toThrow('no valid header at byte 0');
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
      await folder.put(file);
    const dataset = await openDataset(folder.root, { templates: ['a photo of a {}.', '{}'] });
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
    for (const file of ['1.jpg', '.hidden.jpg', 'notes.txt']) await folder.put(file);
    const dataset = await openDataset(folder.root);
    expect([dataset.format, dataset.splits]).toEqual(['images', ['all']]);
    expect(problemsOf(await dataset.read('all'))).toEqual(['caption_missing 1.jpg']);
  });
});

describe('what is no dataset', () => {
  it('is refused with a code', async () => {
    await folder.put('notes.txt');
    await expect(openDataset(join(folder.root, 'absent'))).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
    });
    await expect(openDataset(join(folder.root, 'notes.txt'))).rejects.toMatchObject({
      code: 'DATASET_INVALID',
    });
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
