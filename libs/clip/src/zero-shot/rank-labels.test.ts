import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../safetensors/index.js';
import { labelPrompts } from './prompts.js';
import { NONE_OF_THE_ABOVE, rankLabels } from './rank-labels.js';

const testData = process.env.CLIP_TEST_DATA;

const image = new Float32Array([1, 0]);
/** Unit vector whose cosine with `image` is `similarity`. */
const at = (similarity: number) => new Float32Array([similarity, Math.sqrt(1 - similarity * similarity)]);
const labels = ['low', 'high', 'middle'];
const embeds = [at(0.1), at(0.3), at(0.2)];
const rounded = (ranked: { label: string; score: number }[]) =>
  ranked.map(({ label, score }) => [label, Number(score.toFixed(4))]);

describe('rankLabels', () => {
  it('takes the softmax over logit_scale · cosine', () => {
    const ranked = rankLabels(image, embeds, labels, { logitScale: 10 });
    const total = Math.exp(3) + Math.exp(2) + Math.exp(1);
    expect(rounded(ranked)).toEqual([
      ['high', Number((Math.exp(3) / total).toFixed(4))],
      ['middle', Number((Math.exp(2) / total).toFixed(4))],
      ['low', Number((Math.exp(1) / total).toFixed(4))],
    ]);
    expect(ranked[0]!.similarity).toBeCloseTo(0.3, 6);
  });

  it('takes sigmoids when the model has a bias', () => {
    const ranked = rankLabels(image, embeds, labels, { logitScale: 10, logitBias: -2 });
    expect(rounded(ranked)).toEqual([
      ['high', 0.7311],
      ['middle', 0.5],
      ['low', 0.2689],
    ]);
  });

  /** E = 3: what labels share lies along the last axis, what they say of the image along the first. */
  const photo = new Float32Array([0.9, 0, Math.sqrt(0.19)]);
  const center = new Float32Array([0, 0, 0.8]);
  const saying = (angle: number) => new Float32Array([0.6 * Math.cos(angle), 0.6 * Math.sin(angle), 0.8]);
  const described = { logitScale: 100, center };

  it('scores each label by itself over the background, however many others there are', () => {
    const options = { ...described, multiLabel: true };
    const alone = (angle: number) => rankLabels(photo, [saying(angle)], ['a'], options)[0]!.score;
    expect(alone(0)).toBeGreaterThan(0.99);
    expect(alone(Math.PI / 2)).toBeCloseTo(1 / (1 + Math.exp(3)), 5);
    expect(alone(Math.PI)).toBeLessThan(0.01);
    const together = rankLabels(photo, [saying(0), saying(2), saying(1.5)], ['a', 'b', 'c'], options);
    expect(together.map(({ score }) => score)).toEqual([alone(0), alone(1.5), alone(2)]);
    expect(() => rankLabels(photo, [saying(0)], ['a'], { logitScale: 100, multiLabel: true })).toThrow(
      /center/,
    );
  });

  it('adds the class of none of the labels, which wins when all of them are wrong', () => {
    const options = { ...described, rest: true };
    const wrong = rankLabels(photo, [saying(1.8), saying(2.5)], ['a', 'b'], options);
    expect(wrong.map(({ label }) => label)).toEqual([NONE_OF_THE_ABOVE, 'a', 'b']);
    expect(wrong[0]!.score).toBeGreaterThan(0.9);
    const right = rankLabels(photo, [saying(1.8), saying(0)], ['a', 'b'], options);
    expect(right.map(({ label }) => label)).toEqual(['b', NONE_OF_THE_ABOVE, 'a']);
    for (const ranked of [wrong, right]) {
      expect(ranked.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
      expect(ranked.every(({ similarity }) => similarity <= 1)).toBe(true);
    }
    expect(rankLabels(photo, [saying(1.8)], ['a'], { ...options, threshold: 0.99 })).toEqual([
      { ...rankLabels(photo, [saying(1.8)], ['a'], options)[0]! },
    ]);
    expect(rankLabels(photo, [saying(1.8), saying(2)], ['a', 'b'], { ...options, topK: 1 })).toHaveLength(1);
    expect(() => rankLabels(photo, [saying(0)], [NONE_OF_THE_ABOVE], options)).toThrow(/rest class/);
  });

  it('takes, where labels are judged one by one, the chance that none of them holds', () => {
    const [p, q] = [0.7311, 0.5];
    const siglip = rankLabels(image, [at(0.3), at(0.2)], ['a', 'b'], {
      logitScale: 10,
      logitBias: -2,
      rest: true,
    });
    expect(rounded(siglip)).toEqual([
      ['a', p],
      ['b', q],
      [NONE_OF_THE_ABOVE, Number(((1 - p) * (1 - q)).toFixed(4))],
    ]);
    const clip = rankLabels(photo, [saying(1.6), saying(1.7)], ['a', 'b'], {
      ...described,
      multiLabel: true,
      rest: true,
    });
    const product = clip.slice(1).reduce((rest, { score }) => rest * (1 - score), 1);
    expect(clip[0]).toMatchObject({ label: NONE_OF_THE_ABOVE, score: expect.closeTo(product, 8) as number });
  });

  it('gives a label that says nothing of any image the offset of the curve', () => {
    const [only] = rankLabels(photo, [center], ['a'], { ...described, multiLabel: true });
    expect(only!.score).toBeCloseTo(1 / (1 + Math.exp(3)), 5);
  });

  it('takes a hundred thousand labels', () => {
    const many = Array.from({ length: 100_000 }, (_, i) => `${i}`);
    const ranked = rankLabels(
      image,
      many.map(() => at(0.2)),
      many,
      { logitScale: 10, topK: 1 },
    );
    expect(ranked[0]!.score).toBeCloseTo(1e-5, 8);
  });

  it('returns the best few, and none of the above when no label reaches the threshold', () => {
    const options = { logitScale: 10 };
    expect(rankLabels(image, embeds, labels, { ...options, topK: 2 }).map(({ label }) => label)).toEqual([
      'high',
      'middle',
    ]);
    expect(rankLabels(image, embeds, labels, { ...options, threshold: 0.2 })).toHaveLength(2);
    const [none, ...rest] = rankLabels(image, embeds, labels, { ...options, threshold: 0.9 });
    expect(rest).toEqual([]);
    expect(none!.label).toBe(NONE_OF_THE_ABOVE);
    expect(none!.score).toBeCloseTo(1 - 0.6652, 4);
  });

  it('stays finite and keeps the order where scores saturate', () => {
    const ranked = rankLabels(image, [at(0.9), at(0.91), at(-1)], ['b', 'a', 'c'], {
      logitScale: 1e5,
      logitBias: 0,
    });
    expect(ranked.map(({ label }) => label)).toEqual(['a', 'b', 'c']);
    expect(ranked.map(({ score }) => score)).toEqual([1, 1, 0]);
    const softmax = rankLabels(image, [at(1), at(-1)], ['a', 'b'], { logitScale: 1e5 });
    expect(softmax.map(({ score }) => score)).toEqual([1, 0]);
  });

  it('keeps the given order among equals and cosines within −1 … 1', () => {
    const same = [new Float32Array([1.0000001, 0]), new Float32Array([1.0000001, 0])];
    const ranked = rankLabels(image, same, ['first', 'second'], { logitScale: 1 });
    expect(ranked.map(({ label }) => label)).toEqual(['first', 'second']);
    expect(ranked[0]!.similarity).toBe(1);
  });

  it('says which parameter is out of range', () => {
    const rank =
      (options: object, names = labels, vectors = embeds) =>
      () =>
        rankLabels(image, vectors, names, { logitScale: 1, ...options });
    expect(rank({ logitScale: 0 })).toThrow('logitScale');
    expect(rank({ topK: 0 })).toThrow('topK');
    expect(rank({ threshold: 1.5 })).toThrow('threshold');
    expect(rank({}, [], [])).toThrow('no candidate labels');
    expect(rank({}, ['a'])).toThrow('expected 1 embeddings, found 3');
    expect(rank({}, ['a'], [new Float32Array(3)])).toThrow('differ in size');
  });
});

describe('labelPrompts', () => {
  it('puts the label into the template, whatever characters it has', () => {
    expect(labelPrompts(['$& dog'], 'a {} or {}')).toEqual(['a $& dog or $& dog']);
    expect(labelPrompts(['cat'])).toEqual(['This is a photo of cat.']);
  });

  it('refuses a template without a place, and labels that are empty or given twice', () => {
    expect(() => labelPrompts(['a'], 'photo')).toThrow('no place for the label');
    expect(() => labelPrompts(['a', ' '])).toThrow('empty');
    expect(() => labelPrompts(['a', 'a'])).toThrow('"a" is given twice');
  });
});

interface Rows {
  image_files: string[];
  texts: string[];
}

const animals = ['bird', 'cat', 'dog', 'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe'];

describe.skipIf(testData === undefined)('zero-shot with CLIP ViT-B/32 embeddings (CLIP_TEST_DATA)', () => {
  it('tells the dog from other animals in photos whose captions all speak of one', async () => {
    const root = join(testData!, 'clip-embeddings');
    const rows = JSON.parse(await readFile(join(root, 'rows.json'), 'utf8')) as Rows;
    const file = await SafetensorsFile.open(join(root, 'clip-vit-base-patch32.safetensors'));
    const split = async (name: string) => {
      const values = await file.readFloat32(name);
      return Array.from({ length: values.length / 512 }, (_, i) =>
        unit(values.subarray(i * 512, (i + 1) * 512)),
      );
    };
    const [images, texts] = [await split('image_embeds'), await split('text_embeds')];
    await file.close();
    const captions = await captionsByFile(join(testData!, 'flickr8k-coco'));
    const labels = animals.map((animal) => `a ${animal}`);
    const labelEmbeds = labels.map((label) => texts[rows.texts.indexOf(label)]!);

    let dogs = 0;
    let found = 0;
    let amongFive = 0;
    images.forEach((embed, i) => {
      const words = captions.get(rows.image_files[i]!.split('/').at(-1)!) ?? [];
      if (words.length < 5 || !words.every((caption) => /\bdogs?\b/.test(caption))) return;
      dogs++;
      const options = { logitScale: 100, topK: 5 };
      if (rankLabels(embed, labelEmbeds, labels, options)[0]!.label === 'a dog') found++;
      if (rankLabels(embed, texts, rows.texts, options).some(({ label }) => label === 'a dog')) amongFive++;
    });
    expect(dogs).toBeGreaterThan(100);
    expect(found / dogs).toBeGreaterThan(0.85);
    expect(amongFive / dogs).toBeGreaterThan(0.9);
  });
});

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

interface Annotations {
  images: { id: number; file_name: string }[];
  annotations: { image_id: number; caption: string }[];
}

async function captionsByFile(root: string): Promise<Map<string, string[]>> {
  const text = await readFile(join(root, 'annotations/captions_train2017.json'), 'utf8');
  const { images, annotations } = JSON.parse(text) as Annotations;
  const names = new Map(images.map(({ id, file_name }) => [id, file_name]));
  const captions = new Map<string, string[]>();
  for (const { image_id, caption } of annotations) {
    const name = names.get(image_id)!;
    captions.set(name, [...(captions.get(name) ?? []), caption.toLowerCase()]);
  }
  return captions;
}
