/** What a run finds out about its data before it trains, through the command line. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, temporaryFolder, trainer, type Configs, type Finished } from './cli.js';

const TRAINING = 30;
let folder: string;
let remove: () => Promise<void>;
const inFolder = (...names: string[]) => path.join(folder, ...names);

/** 30 training images, two of them unreadable, with Chinese captions; 6 validation images, one a copy from training. */
beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  const sizes = ['--size', '32', '--train', String(TRAINING), '--val', '6', '--held-out', '1'];
  expect((await trainer('sample-data', '--output', inFolder('coco'), ...sizes)).code).toBe(0);
  const name = (number: number) => `${number}.jpg`;
  for (const split of ['train', 'val']) {
    await mkdir(inFolder('data', split), { recursive: true });
    const drawn = (await readdir(inFolder(`coco/images/${split}2017`))).sort();
    for (const [n, file] of drawn.entries())
      await cp(inFolder(`coco/images/${split}2017`, file), inFolder('data', split, name(n + 1)));
  }
  const captions = ['一只狗在海滩上跑', '两个人在公园里', '红色的自行车', '猫在沙发上睡觉'];
  const table = (split: string, count: number) =>
    Array.from({ length: count }, (_, n) => `${split}/${name(n + 1)},${captions[n % 4]}`).join('\n');
  await writeFile(inFolder('data/train.csv'), `image,caption\n${table('train', TRAINING)}\n`);
  await writeFile(inFolder('data/val.csv'), `image,caption\n${table('val', 6)}\n`);
  await cp(inFolder('data/train', name(1)), inFolder('data/val', name(6)));
  const whole = await readFile(inFolder('data/train', name(2)));
  await writeFile(inFolder('data/train', name(2)), whole.subarray(0, whole.length / 2));
  await writeFile(inFolder('data/train', name(3)), 'not an image');
});
afterAll(() => remove());

async function pretrain(output: string, configs: Configs, ...options: string[]): Promise<Finished> {
  const flags = await configFlags(folder, { heads: { epochs: 0 }, ...configs });
  const folders = ['--data', inFolder('data'), '--output', inFolder(output)];
  return trainer('pretrain', ...folders, ...flags, ...options);
}

describe('a run', () => {
  it('names the image that it cannot read, and the option that finds all', async () => {
    const { code, stderr } = await pretrain('unverified', {});
    expect([code, stderr]).toEqual([2, expect.stringMatching(/train\/[23]\.jpg/)]);
    expect(stderr).toContain('--verify finds all such images before training');
  });

  it('writes nothing into a folder whose folders are the classes', async () => {
    const output = inFolder('coco/images/run');
    const flags = await configFlags(folder);
    const data = ['--data', inFolder('coco/images'), '--output', output];
    const { code, stderr } = await trainer('pretrain', ...data, ...flags, '--dry-run');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--output .* would be trained on; name an/)]);
    expect(await readdir(inFolder('coco/images'))).not.toContain('run');
  });

  it('finds all unreadable images in one pass, refuses too many, and leaves out what is allowed', async () => {
    const refused = await pretrain('run', {}, '--verify');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      '2 of 30 images of train are unreadable, which is more than "max_bad_fraction" 0.01',
    );
    for (const name of ['train/2.jpg', 'train/3.jpg']) expect(refused.stderr).toContain(name);
    const list = JSON.parse(await readFile(inFolder('run/unreadable.json'), 'utf8')) as {
      train: { images: { name: string }[] };
    };
    expect(list.train.images.map(({ name }) => name)).toEqual(['train/2.jpg', 'train/3.jpg']);

    const everything = { max_bad_fraction: 0.1 };
    const trained = await pretrain('run', { everything });
    expect([trained.code, trained.stderr]).toEqual([0, '']);
    expect(trained.stdout).toContain('2 of 30 images are unreadable and left out');
    expect(trained.stdout).toContain('28 training and 6 validation images');
    expect(trained.stdout).toContain(
      'warning: 1 of 6 validation images are training images too, so that validation is too good: val/6.jpg',
    );
    // 25 different characters and 4 special tokens.
    expect(trained.stdout).toMatch(/tokenizer: 29 words of the corpus, up to 10 tokens a caption/);
    expect(trained.stdout).not.toContain('unknown to the tokenizer');
    const again = await pretrain('run', { everything }, '--verify');
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('holds this run, finished')]);
  });

  it('warns when the tokenizer knows few of the words', async () => {
    const rows = Array.from({ length: 8 }, (_, n) => `train/${n + 10}.jpg,never${n} seen${n} twice${n}`);
    await writeFile(inFolder('data/rare.csv'), `image,caption\n${rows.join('\n')}\n`);
    const splits = ['--train-split', 'rare', '--validation-split', 'val'];
    const { code, stdout } = await pretrain('rare', { everything: { epochs: 1 } }, ...splits);
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(
        'warning: 60 % of the tokens of the training captions are unknown to the tokenizer',
      ),
    ]);
  });
});
