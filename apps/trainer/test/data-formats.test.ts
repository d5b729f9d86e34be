/** Each format of data through the command line: trained, exported, evaluated. */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, temporaryFolder, trainer } from './cli.js';

let folder: string;
let remove: () => Promise<void>;
const inFolder = (...names: string[]) => path.join(folder, ...names);
/** File name → caption of the images in `images`. */
let captioned: [file: string, caption: string][];

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  const sizes = ['--size', '32', '--train', '40', '--val', '8', '--held-out', '8'];
  expect((await trainer('sample-data', '--output', inFolder('coco'), ...sizes)).code).toBe(0);
  const { images, annotations } = JSON.parse(
    await readFile(inFolder('coco/annotations/captions_train2017.json'), 'utf8'),
  ) as {
    images: { id: number; file_name: string }[];
    annotations: { image_id: number; caption: string }[];
  };
  captioned = images.map(({ id, file_name }) => [
    file_name,
    annotations.find(({ image_id }) => image_id === id)!.caption,
  ]);
});
afterAll(() => remove());

async function trainOn(data: string): Promise<string> {
  const output = inFolder(`run-${path.basename(data)}`);
  const flags = await configFlags(folder, { heads: { epochs: 0 } });
  const finished = await trainer('pretrain', '--data', data, '--output', output, ...flags);
  expect([finished.code, finished.stderr]).toEqual([0, '']);
  return path.join(output, 'checkpoint');
}

const imagesInto = async (name: string) => {
  await cp(inFolder('coco/images/train2017'), inFolder(name), { recursive: true });
};

describe('pretrain and evaluate', () => {
  it('take JSON Lines beside the images, holding some out', async () => {
    await imagesInto('lines');
    const rows = captioned.map(([image, caption]) => JSON.stringify({ image, caption }));
    await writeFile(inFolder('lines/metadata.jsonl'), rows.join('\n'));
    const checkpoint = await trainOn(inFolder('lines'));
    const { code, stdout } = await trainer(
      'evaluate',
      '--checkpoint',
      checkpoint,
      '--data',
      inFolder('lines'),
      '--json',
    );
    expect(code).toBe(0);
    expect(stdout.trim().split('\n').at(-1)).toContain('"images":40');
  });

  it('take tar shards', async () => {
    await imagesInto('members');
    await mkdir(inFolder('shards'));
    for (const [file, caption] of captioned)
      await writeFile(inFolder('members', `${path.parse(file).name}.txt`), caption);
    const halves = [captioned.slice(0, 30), captioned.slice(30)];
    for (const [n, half] of halves.entries()) {
      const files = half.flatMap(([file]) => [file, `${path.parse(file).name}.txt`]);
      const shard = inFolder('shards', n === 0 ? 'train-0000.tar' : 'val-0000.tar');
      execFileSync('tar', ['-cf', shard, '-C', inFolder('members'), ...files]);
    }
    await trainOn(inFolder('shards'));
  });

  it('take a folder for each class, with captions made from its name', async () => {
    await imagesInto('pictures');
    for (const [n, [file]] of captioned.entries()) {
      const target = inFolder('classes', n % 4 === 0 ? 'val' : 'train', n % 2 === 0 ? 'even_one' : 'odd');
      await mkdir(target, { recursive: true });
      await rename(inFolder('pictures', file), path.join(target, path.basename(file)));
    }
    const checkpoint = await trainOn(inFolder('classes'));
    const { stdout } = await trainer(
      'evaluate',
      '--checkpoint',
      checkpoint,
      '--data',
      inFolder('classes'),
      '--json',
    );
    expect(stdout.trim().split('\n').at(-1)).toContain('"zero_shot":[{"name":"val","classes":2');
  });

  it('refuse to resume on data that has changed', async () => {
    await imagesInto('changing');
    const write = (rows: [string, string][]) =>
      writeFile(
        inFolder('changing/all.csv'),
        ['image,caption', ...rows.map(([file, caption]) => `${file},"${caption}"`)].join('\n'),
      );
    await write(captioned);
    await trainOn(inFolder('changing'));
    await write(captioned.map(([file], n) => [file, `another caption ${n}`]));
    const flags = await configFlags(folder, { heads: { epochs: 0 } });
    const again = await trainer(
      'pretrain',
      '--data',
      inFolder('changing'),
      '--output',
      inFolder('run-changing'),
      ...flags,
    );
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('training data (was ')]);
  });
});
