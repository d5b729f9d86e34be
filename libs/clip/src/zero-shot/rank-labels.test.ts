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

  it('scores each label on its own against a neutral text, or else against the mean', () => {
    const options = { logitScale: 10, multiLabel: true };
    const neutral = rankLabels(image, embeds, labels, { ...options, neutralEmbed: at(0.3) });
    expect(rounded(neutral)).toEqual([
      ['high', 0.5],
      ['middle', 0.2689],
      ['low', 0.1192],
    ]);
    expect(rounded(rankLabels(image, embeds, labels, options))[1]).toEqual(['middle', 0.5]);
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
