/**
 * Five differently worded captions for a scene. Together they name colour, shape, size, texture, background, place and
 * spatial relation; each alone is true of the image.
 */
import { createRandom, permutation, type Random } from '../random.js';
import { CANVAS, type Scene, type SceneObject } from './scene.js';

export const CAPTIONS_PER_IMAGE = 5;

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

/** How much longer one axis must be than the other for a direction to be beyond doubt. */
const CLEAR = 1.25;

/** Where `a` lies as seen from `b`, or undefined when it is neither clearly beside nor clearly above or below. */
export function directionOf(a: SceneObject, b: SceneObject): Direction | undefined {
  const dx = a.x - b.x;
  const dy = a.y - b.y;
  if (Math.abs(dx) > CLEAR * Math.abs(dy)) return dx < 0 ? 'left' : 'right';
  if (Math.abs(dy) > CLEAR * Math.abs(dx)) return dy < 0 ? 'above' : 'below';
  return undefined;
}

const article = (phrase: string) => `${/^[aeiou]/.test(phrase) ? 'an' : 'a'} ${phrase}`;

interface Detail {
  size?: boolean;
  texture?: boolean;
}

/** "red circle", or with detail "large striped red circle"; middle size and plain texture go without saying. */
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

function singleCaptions(scene: Scene): string[] {
  const a = scene.objects[0]!;
  const captions = [
    aNoun(a),
    `a photo of ${aNoun(a)}`,
    `this is a photo of ${aNoun(a)}`,
    `a picture of ${aNoun(a, FULL)} on ${background(scene)}`,
    `${aNoun(a, FULL)} ${placeOf(a)}`,
    `this is ${aNoun(a, { size: true })} ${placeOf(a)} of the image`,
    `an image with ${aNoun(a, FULL)} on ${article(`${scene.background} background`)}`,
    `there is ${aNoun(a, { texture: true })} ${placeOf(a)} and nothing else`,
    `one ${noun(a, FULL)}`,
    `the ${a.shape} ${placeOf(a)} is ${a.colour}`,
  ];
  if (a.size !== 'medium') captions.push(`the ${a.colour} ${a.shape} is ${a.size}`);
  if (a.texture !== 'plain') captions.push(`the ${a.colour} ${a.shape} is ${a.texture}`);
  return captions;
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
  const captions = [
    ...relations(a, b, random),
    ...relations(a, b, random, FULL),
    `${aNoun(a, FULL)} and ${aNoun(b, FULL)} on ${background(scene)}`,
    `a photo of ${aNoun(a)} and ${aNoun(b)}`,
    `two objects, ${aNoun(b, FULL)} and ${aNoun(a, FULL)}`,
    `there is ${aNoun(a)} ${placeOf(a)} and ${aNoun(b)} ${placeOf(b)}`,
    `an image with ${aNoun(b, FULL)} ${placeOf(b)} and ${aNoun(a)}`,
  ];
  if (a.shape !== b.shape) captions.push(`the ${a.shape} is ${a.colour} and the ${b.shape} is ${b.colour}`);
  return captions;
}

function tripleCaptions(scene: Scene, random: Random): string[] {
  const [a, b, c] = scene.objects as [SceneObject, SceneObject, SceneObject];
  const captions = [
    `${aNoun(a)}, ${aNoun(b)} and ${aNoun(c)}`,
    `a photo of ${aNoun(c, FULL)}, ${aNoun(a, FULL)} and ${aNoun(b, FULL)}`,
    `three objects, ${aNoun(b)}, ${aNoun(c)} and ${aNoun(a)}`,
    `${aNoun(a, FULL)}, ${aNoun(b, FULL)} and ${aNoun(c, FULL)} on ${background(scene)}`,
    `there is ${aNoun(a)} ${placeOf(a)}, ${aNoun(b)} ${placeOf(b)} and ${aNoun(c)} ${placeOf(c)}`,
    `an image with ${aNoun(c)} ${placeOf(c)}, with ${aNoun(b)} and ${aNoun(a)}`,
  ];
  for (const caption of relations(a, b, random)) captions.push(`${caption}, and ${aNoun(c)}`);
  for (const caption of relations(b, c, random)) captions.push(`${caption}, with ${aNoun(a)}`);
  return captions;
}

const FULL_STOP_SHARE = 0.3;
const BARE_SHARE = 0.12;

/** People end some captions with a full stop and drop the articles of others. */
function vary(caption: string, random: Random): string {
  const bare = random.uniform() < BARE_SHARE ? caption.replace(/\b(a|an|the) /g, '') : caption;
  return random.uniform() < FULL_STOP_SHARE ? `${bare}.` : bare;
}

/** Five distinct captions; which ones depends on the scene's seed alone. */
export function captionScene(scene: Scene): string[] {
  const random = createRandom(scene.seed, 1);
  const makers = [singleCaptions, pairCaptions, tripleCaptions];
  const drafts = makers[scene.objects.length - 1]!(scene, random);
  const captions = [...new Set(drafts.map((draft) => vary(draft, random)))];
  const order = permutation(captions.length, random);
  return Array.from(order.subarray(0, CAPTIONS_PER_IMAGE), (index) => captions[index]!);
}
