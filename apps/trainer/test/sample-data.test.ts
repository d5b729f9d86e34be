import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder, trainer } from './cli.js';

const SIZES = ['--train', '60', '--val', '20', '--held-out', '30'];

interface Instances {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: {
    image_id: number;
    category_id: number;
    bbox: [number, number, number, number];
    area: number;
  }[];
  categories: { id: number; name: string }[];
}
interface Captions {
  annotations: { image_id: number; caption: string }[];
}

let folder: string;
let dataset: string;
let remove: () => Promise<void>;

const annotations = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(path.join(dataset, 'annotations', name), 'utf8')) as T;

async function digest(of: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(of, { recursive: true })).sort()) {
    hash.update(name);
    hash.update(await readFile(path.join(of, name)).catch(() => Buffer.alloc(0)));
  }
  return hash.digest('hex');
}

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  dataset = path.join(folder, 'dataset');
  const { code } = await trainer('sample-data', '--output', dataset, ...SIZES);
  expect(code).toBe(0);
});
afterAll(() => remove());

describe('sample-data', () => {
  it('gives the same bytes again, and others for another seed', async () => {
    const [again, other] = [path.join(folder, 'again'), path.join(folder, 'other')];
    await trainer('sample-data', '--output', again, ...SIZES);
    await trainer('sample-data', '--output', other, '--seed', '1', ...SIZES);
    expect(await digest(again)).toBe(await digest(dataset));
    expect(await digest(other)).not.toBe(await digest(dataset));
  });

  it('has five different captions an image', async () => {
    for (const split of ['train2017', 'val2017', 'valheldout2017']) {
      const captions = new Map<number, Set<string>>();
      for (const { image_id, caption } of (await annotations<Captions>(`captions_${split}.json`))
        .annotations) {
        captions.set(image_id, (captions.get(image_id) ?? new Set<string>()).add(caption));
      }
      expect([...captions.values()].every((own) => own.size === 5)).toBe(true);
      expect(captions.size).toBe((await readdir(path.join(dataset, 'images', split))).length);
    }
  });

  it('has boxes within the image and areas within the boxes', async () => {
    const {
      images,
      annotations: objects,
      categories,
    } = await annotations<Instances>('instances_train2017.json');
    expect(categories.length).toBeGreaterThanOrEqual(48);
    expect(images).toHaveLength(60);
    for (const { bbox, area } of objects) {
      const [x, y, width, height] = bbox;
      expect(x >= 0 && y >= 0 && x + width <= 64 && y + height <= 64).toBe(true);
      expect(area).toBeGreaterThan(0.15 * width * height);
      expect(area).toBeLessThanOrEqual((width + 1) * (height + 1));
    }
  });

  it('shows the held-out combinations in valheldout2017 alone, one an image', async () => {
    const readme = await readFile(path.join(dataset, 'README.md'), 'utf8');
    const heldOut = [...readme.split('## Held-out combinations')[1]!.matchAll(/^- (.+)$/gm)].map(
      ([, name]) => name!,
    );
    expect(heldOut).toHaveLength(4);
    const namesOf = async (split: string) => {
      const { annotations: objects, categories } = await annotations<Instances>(`instances_${split}.json`);
      const names = new Map(categories.map(({ id, name }) => [id, name]));
      return objects.map(({ image_id, category_id }) => ({ image_id, name: names.get(category_id)! }));
    };
    const isHeldOut = ({ name }: { name: string }) => heldOut.includes(name);
    for (const split of ['train2017', 'val2017']) expect((await namesOf(split)).some(isHeldOut)).toBe(false);
    const shown = (await namesOf('valheldout2017')).filter(isHeldOut).map(({ image_id }) => image_id);
    expect(new Set(shown).size).toBe(30);
    expect(shown).toHaveLength(30);
  });

  it('leaves a dataset of the same recipe alone and refuses to replace anything else', async () => {
    const same = await trainer('sample-data', '--output', dataset, ...SIZES);
    expect([same.code, same.stdout]).toEqual([0, expect.stringContaining('already')]);
    const other = await trainer('sample-data', '--output', dataset, '--seed', '9', ...SIZES);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('--force')]);
    const mine = path.join(folder, 'mine');
    await mkdir(mine);
    await writeFile(path.join(mine, 'diary.txt'), 'dear diary');
    const refused = await trainer('sample-data', '--output', mine, '--force', ...SIZES);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('other files')]);
    expect(await readdir(mine)).toEqual(['diary.txt']);
  });
});
