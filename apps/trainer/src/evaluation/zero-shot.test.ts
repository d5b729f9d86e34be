import { describe, expect, it } from 'vitest';
import { classEmbeddings, labelImages, PROMPTS, promptsOf, zeroShotAccuracy } from './zero-shot.js';

const image = (id: number, ...tags: string[]) => ({
  name: `${id}.jpg`,
  location: `${id}.jpg`,
  captions: ['x'],
  tags,
});

describe('zero-shot accuracy', () => {
  it('asks with the right article', () => {
    expect(promptsOf(['orange ring', 'red ring'])).toContain('a photo of an orange ring');
    expect(promptsOf(['orange ring', 'red ring'])).toContain('a photo of a red ring');
  });

  it('averages prompts to unit length', () => {
    const prompts = PROMPTS.map((_, i) => Float32Array.of(i === 0 ? 1 : 0, i === 0 ? 0 : 1));
    const [mean] = classEmbeddings(prompts);
    expect(Math.hypot(...mean!)).toBeCloseTo(1);
    expect(mean![1]! / mean![0]!).toBeCloseTo(PROMPTS.length - 1);
  });

  it('takes images whose objects are of one category', () => {
    const images = [image(1, 'cat'), image(2, 'cat', 'dog'), image(3), image(4, 'dog')];
    const { names, labelled } = labelImages({ images, classes: ['dog', 'cat'] });
    expect(names).toEqual(['dog', 'cat']);
    expect(labelled).toEqual([
      { image: 0, label: 1 },
      { image: 3, label: 0 },
    ]);
  });

  it('counts the right class among the first one and five, ties against it', () => {
    const classes = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
    const images = [Float32Array.of(1, 0), Float32Array.of(0.5, 0.5)];
    const labelled = [
      { image: 0, label: 0 },
      { image: 1, label: 1 },
    ];
    const result = zeroShotAccuracy('val', images, classes, labelled);
    expect(result).toEqual({ name: 'val', classes: 2, images: 2, top1: 0.5, top5: 1 });
  });
});
