/**
 * Draws what a scene of the sample dataset contains, not its pixels: one to three objects that do not touch, a
 * background, and the light. Lengths are in pixels of a 64-pixel image and scaled by the rasteriser.
 */
import { createRandom, type Random } from '../random.js';
import {
  BACKGROUND_NAMES,
  HELD_OUT,
  PATTERNS,
  SEEN,
  type Background,
  type ColourShape,
  type Pattern,
  type Size,
  type Texture,
} from './vocabulary.js';

/** Side of the canvas in scene units. */
export const CANVAS = 64;

export interface SceneObject extends ColourShape {
  size: Size;
  texture: Texture;
  /** Centre and radius in scene units; y grows downwards. */
  x: number;
  y: number;
  radius: number;
  /** Clockwise turn in radians, small enough to keep the shape's name true. */
  turn: number;
}

export interface Scene {
  objects: readonly SceneObject[];
  background: Background;
  pattern: Pattern;
  /** Seed of the pixels: jitter of colours, clutter, noise. */
  seed: number;
}

export type SplitKind = 'train' | 'seen' | 'held-out';

const SINGLE_SHARE = 0.5;
const PAIR_SHARE = 0.35;
const GAP = 1.5;
/** Every nth image of val2017 shows the example query's pair. */
const EXAMPLE_EVERY = 100;
const PLACES = [16, 32, 48] as const;
const JITTER = 1.5;

const RADII: Record<Size, readonly [number, number]> = {
  small: [8.5, 9.5],
  medium: [11.5, 12.5],
  large: [14.5, 15.5],
};

function drawSize(random: Random, objectCount: number, index: number): Size {
  if (objectCount === 1) return random.pick(['small', 'medium', 'large']);
  if (objectCount === 2)
    return index === 0 ? random.pick(['small', 'medium', 'large']) : random.pick(['small', 'medium']);
  return random.pick(['small', 'medium']);
}

/** A texture is not visible on a small object, so small objects are plain. */
function drawTexture(random: Random, size: Size): Texture {
  if (size === 'small' || random.uniform() < 0.6) return 'plain';
  return random.pick(['striped', 'dotted', 'checkered']);
}

/**
 * A centre near one of 3×3 places, within the canvas and clear of the other objects. A few places rather than any: from
 * a few thousand images a small model can learn the shapes, but not at every offset.
 */
function place(
  random: Random,
  radius: number,
  placed: readonly SceneObject[],
): { x: number; y: number } | undefined {
  const coordinate = () => {
    const near = random.pick(PLACES) + random.between(-JITTER, JITTER);
    return Math.min(Math.max(near, radius), CANVAS - radius);
  };
  for (let attempt = 0; attempt < 40; attempt++) {
    const centre = { x: coordinate(), y: coordinate() };
    const clear = placed.every(
      (other) => Math.hypot(centre.x - other.x, centre.y - other.y) >= radius + other.radius + GAP,
    );
    if (clear) return centre;
  }
  return undefined;
}

function drawObjects(random: Random, kind: SplitKind, count: number): SceneObject[] | undefined {
  const objects: SceneObject[] = [];
  for (let index = 0; index < count; index++) {
    const combination = random.pick(kind === 'held-out' && index === 0 ? HELD_OUT : SEEN);
    if (objects.some((o) => o.colour === combination.colour && o.shape === combination.shape))
      return undefined;
    const size = drawSize(random, count, index);
    const radius = random.between(...RADII[size]);
    const centre = place(random, radius, objects);
    if (!centre) return undefined;
    const texture = drawTexture(random, size);
    objects.push({ ...combination, size, texture, ...centre, radius, turn: random.between(-0.1, 0.1) });
  }
  return objects;
}

/**
 * The pair of the README's example query, "red circle above a blue square", which val2017 would rarely contain by
 * chance.
 */
function drawExample(random: Random): SceneObject[] {
  const column = random.pick(PLACES);
  const [top, , bottom] = PLACES;
  const near = (centre: number) => centre + random.between(-JITTER, JITTER);
  const object = (combination: ColourShape, row: number): SceneObject => {
    const size = random.pick(['small', 'medium'] as const);
    const radius = random.between(...RADII[size]);
    const inside = (centre: number) => Math.min(Math.max(near(centre), radius), CANVAS - radius);
    const turn = random.between(-0.1, 0.1);
    return { ...combination, size, texture: 'plain', x: inside(column), y: inside(row), radius, turn };
  };
  return [
    object({ colour: 'red', shape: 'circle' }, top),
    object({ colour: 'blue', shape: 'square' }, bottom),
  ];
}

/**
 * The scene number `index` of a split. Pure: the same arguments give the same scene. In a held-out scene the first
 * object, and only it, has a combination that training never shows.
 */
export function drawScene(seed: number, splitKey: number, kind: SplitKind, index: number): Scene {
  const random = createRandom(seed, splitKey, index);
  const share = random.uniform();
  const count = share < SINGLE_SHARE ? 1 : share < SINGLE_SHARE + PAIR_SHARE ? 2 : 3;
  const example = kind === 'seen' && index % EXAMPLE_EVERY === EXAMPLE_EVERY - 1;
  let objects = example ? drawExample(random) : undefined;
  while (!objects) objects = drawObjects(random, kind, count);
  return {
    objects,
    background: random.pick(BACKGROUND_NAMES),
    pattern: random.pick(PATTERNS),
    seed: random.integer(2 ** 31),
  };
}
