/**
 * Five differently worded captions for a scene. Together they name colour, shape, size, texture, background, place and
 * spatial relation; each alone is true of the image.
 */
import { createRandom, permutation, type Random } from '../random.js';
import { CANVAS, type Scene, type SceneObject } from './scene.js';

type Direction = 'left' | 'right' | 'above' | 'below';

const WORDS: Record<Direction, readonly string[]> = {
  left: ['to the left of', 'left of'],
  right: ['to the right of', 'right of'],
  above: ['above', 'over'],
  below: ['below', 'under'],
};
const OPPOSITE: Record<Direction, Direction> = {
  left: 'right',
  right: 'left',
  above: 'below',
  below: 'above',
};

/** How many times longer one offset must be than the other for a direction to be unambiguous. */
const CLEAR = 1.25;

/** Where `a` lies as seen from `b`, or undefined when it is neither clearly beside nor clearly above or below. */
function directionOf(a: SceneObject, b: SceneObject): Direction | undefined {
  const dx = a.x - b.x;
  const dy = a.y - b.y;
  if (Math.abs(dx) > CLEAR * Math.abs(dy)) return dx < 0 ? 'left' : 'right';
  if (Math.abs(dy) > CLEAR * Math.abs(dx)) return dy < 0 ? 'above' : 'below';
  return undefined;
}

/** Some of the items, in random order. */
const sample = (items: readonly string[], count: number, random: Random): string[] =>
  Array.from(permutation(items.length, random).subarray(0, count), (index) => items[index]!);

const article = (phrase: string) => `${/^[aeiou]/.test(phrase) ? 'an' : 'a'} ${phrase}`;

/** Three plain captions and two detailed ones, all different. */
function choose(plain: readonly string[], detailed: readonly string[], random: Random): string[] {
  const chosen = sample(plain, 3, random);
  const others = detailed.filter((caption) => !chosen.includes(caption));
  return [...chosen, ...sample(others, 2, random)];
}

interface Detail {
  size?: boolean;
  texture?: boolean;
}

/** "red circle", or with detail "large striped red circle"; medium size and plain texture are left out. */
function noun(object: SceneObject, detail: Detail = {}): string {
  const words: string[] = [];
  if (detail.size && object.size !== 'medium') words.push(object.size);
  if (detail.texture && object.texture !== 'plain') words.push(object.texture);
  return [...words, object.colour, object.shape].join(' ');
}

const FULL: Detail = { size: true, texture: true };

const aNoun = (object: SceneObject, detail?: Detail) => article(noun(object, detail));

function background(scene: Scene): string {
  const looks = scene.pattern === 'even' ? '' : `${scene.pattern} `;
  return article(`${looks}${scene.background} background`);
}

function placeOf(object: SceneObject): string {
  const third = (value: number) => (value < CANVAS * 0.4 ? 0 : value > CANVAS * 0.6 ? 2 : 1);
  const column = ['left', '', 'right'][third(object.x)]!;
  const row = ['top', '', 'bottom'][third(object.y)]!;
  if (row && column) return `in the ${row} ${column} corner`;
  if (row) return `at the ${row}`;
  return column ? `on the ${column}` : 'in the middle';
}

function singleCaptions(scene: Scene, random: Random): string[] {
  const a = scene.objects[0]!;
  const plain = [
    aNoun(a),
    `a photo of ${aNoun(a)}`,
    `this is a photo of ${aNoun(a)}`,
    `there is ${aNoun(a)} and nothing else`,
    `a picture of ${aNoun(a)}`,
    `one ${noun(a)}`,
    `the ${a.shape} is ${a.colour}`,
  ];
  const detailed = [
    `a picture of ${aNoun(a, FULL)} on ${background(scene)}`,
    `${aNoun(a, FULL)} ${placeOf(a)}`,
    `this is ${aNoun(a, { size: true })} ${placeOf(a)} of the image`,
    `an image with ${aNoun(a, FULL)}`,
    `the ${a.shape} ${placeOf(a)} is ${a.colour}`,
  ];
  if (a.size !== 'medium') detailed.push(`the ${a.colour} ${a.shape} is ${a.size}`);
  if (a.texture !== 'plain') detailed.push(`the ${a.colour} ${a.shape} is ${a.texture}`);
  return choose(plain, detailed, random);
}

/** "a red circle above a blue square" both ways round; empty when no direction is clear. */
function relations(a: SceneObject, b: SceneObject, random: Random, detail?: Detail): string[] {
  const direction = directionOf(a, b);
  if (!direction) return [];
  return [
    `${aNoun(a, detail)} ${random.pick(WORDS[direction])} ${aNoun(b, detail)}`,
    `${aNoun(b, detail)} ${random.pick(WORDS[OPPOSITE[direction]])} ${aNoun(a, detail)}`,
  ];
}

function pairCaptions(scene: Scene, random: Random): string[] {
  const [a, b] = scene.objects as [SceneObject, SceneObject];
  const plain = [
    ...relations(a, b, random),
    `${aNoun(b)} and ${aNoun(a)}`,
    `a photo of ${aNoun(a)} and ${aNoun(b)}`,
    `two objects, ${aNoun(b)} and ${aNoun(a)}`,
  ];
  if (a.shape !== b.shape) plain.push(`the ${a.shape} is ${a.colour} and the ${b.shape} is ${b.colour}`);
  const detailed = [
    ...relations(a, b, random, FULL),
    `${aNoun(a, FULL)} and ${aNoun(b, FULL)} on ${background(scene)}`,
    `there is ${aNoun(a)} ${placeOf(a)} and ${aNoun(b)} ${placeOf(b)}`,
    `an image with ${aNoun(b, FULL)} ${placeOf(b)} and ${aNoun(a)}`,
  ];
  return choose(plain, detailed, random);
}

function tripleCaptions(scene: Scene, random: Random): string[] {
  const [a, b, c] = scene.objects as [SceneObject, SceneObject, SceneObject];
  const plain = [
    `${aNoun(a)}, ${aNoun(b)} and ${aNoun(c)}`,
    `a photo of ${aNoun(c)}, ${aNoun(a)} and ${aNoun(b)}`,
    `three objects, ${aNoun(b)}, ${aNoun(c)} and ${aNoun(a)}`,
    ...relations(a, b, random).map((caption) => `${caption}, and ${aNoun(c)}`),
    ...relations(b, c, random).map((caption) => `${caption}, with ${aNoun(a)}`),
  ];
  const detailed = [
    `${aNoun(a, FULL)}, ${aNoun(b, FULL)} and ${aNoun(c, FULL)} on ${background(scene)}`,
    `there is ${aNoun(a)} ${placeOf(a)}, ${aNoun(b)} and ${aNoun(c)}`,
    `an image with ${aNoun(c)} ${placeOf(c)}, with ${aNoun(b)} and ${aNoun(a)}`,
  ];
  return choose(plain, detailed, random);
}

const FULL_STOP_SHARE = 0.3;
const BARE_SHARE = 0.12;

/** Some captions end with a full stop and some have no articles, as people write them. */
function vary(caption: string, random: Random): string {
  const bare = random.uniform() < BARE_SHARE ? caption.replace(/\b(a|an|the) /g, '') : caption;
  return random.uniform() < FULL_STOP_SHARE ? `${bare}.` : bare;
}

/** Five distinct captions, three of what is there and two with more detail; chosen by the scene's seed alone. */
export function captionScene(scene: Scene): string[] {
  const random = createRandom(scene.seed, 1);
  const makers = [singleCaptions, pairCaptions, tripleCaptions];
  return makers[scene.objects.length - 1]!(scene, random).map((draft) => vary(draft, random));
}
