/**
 * Paints a scene into RGB bytes: background with pattern and clutter, objects with 3×3 samples a pixel (the
 * fraction of covered samples blends the edge), a shadow, uneven light, and noise. Also measures each object's box and area.
 */
import { createRandom, type Random } from '../random.js';
import { CANVAS, type Scene, type SceneObject } from './scene.js';
import { inside, secondTone } from './shapes.js';
import { BACKGROUNDS, COLOURS, type Rgb } from './vocabulary.js';

/** Where an object's pixels are: COCO's [x, y, width, height] and the number of pixels it covers. */
export interface Extent {
  bbox: [number, number, number, number];
  area: number;
}

export interface Picture {
  /** [size, size, 3] */
  pixels: Uint8Array;
  /** One for each object, in order. */
  extents: Extent[];
}

const SAMPLES = 3;

const jitter = (rgb: Rgb, amount: number, random: Random): Rgb => [
  rgb[0] + random.between(-amount, amount),
  rgb[1] + random.between(-amount, amount),
  rgb[2] + random.between(-amount, amount),
];

const mix = (a: Rgb, b: Rgb, share: number): Rgb => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

function blend(canvas: Float32Array, pixel: number, rgb: Rgb, share: number): void {
  const at = pixel * 3;
  canvas[at] = canvas[at]! + (rgb[0] - canvas[at]!) * share;
  canvas[at + 1] = canvas[at + 1]! + (rgb[1] - canvas[at + 1]!) * share;
  canvas[at + 2] = canvas[at + 2]! + (rgb[2] - canvas[at + 2]!) * share;
}

function paintBackground(canvas: Float32Array, size: number, scene: Scene, tone: Rgb, random: Random): void {
  const angle = random.between(0, 2 * Math.PI);
  const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
  const period = random.between(5, 9);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const u = ((x / size) * CANVAS - CANVAS / 2) * dx + ((y / size) * CANVAS - CANVAS / 2) * dy;
      let light = 0;
      if (scene.pattern === 'shaded') light = (u / CANVAS) * 60;
      else if (scene.pattern === 'lined') light = (((u / period) % 1) + 1) % 1 < 0.3 ? -22 : 0;
      else if (scene.pattern === 'speckled') light = random.uniform() < 0.1 ? random.between(-45, 45) : 0;
      const at = (y * size + x) * 3;
      for (let c = 0; c < 3; c++) canvas[at + c] = tone[c]! + light;
    }
  }
}

/** Short strokes in tones near the background's, as distractors. */
function paintClutter(canvas: Float32Array, size: number, tone: Rgb, random: Random): void {
  const scale = size / CANVAS;
  const strokes = 3 + random.integer(6);
  for (let stroke = 0; stroke < strokes; stroke++) {
    const rgb = mix(tone, random.uniform() < 0.5 ? [0, 0, 0] : [255, 255, 255], random.between(0.12, 0.3));
    const angle = random.between(0, 2 * Math.PI);
    const length = random.between(1, 12) * scale;
    const [x0, y0] = [random.between(0, size), random.between(0, size)];
    for (let step = 0; step < length; step += 0.5) {
      const x = Math.round(x0 + step * Math.cos(angle));
      const y = Math.round(y0 + step * Math.sin(angle));
      if (x >= 0 && y >= 0 && x < size && y < size) blend(canvas, y * size + x, rgb, 0.6);
    }
  }
}

/** Fraction of a pixel's samples that lie in the object, and the fraction of those in the second tone. */
function coverage(
  object: SceneObject,
  x: number,
  y: number,
  unit: number,
): { share: number; second: number } {
  const [cos, sin] = [Math.cos(object.turn), Math.sin(object.turn)];
  let covered = 0;
  let second = 0;
  for (let sy = 0; sy < SAMPLES; sy++) {
    for (let sx = 0; sx < SAMPLES; sx++) {
      const px = ((x + (sx + 0.5) / SAMPLES) * unit - object.x) / object.radius;
      const py = -((y + (sy + 0.5) / SAMPLES) * unit - object.y) / object.radius;
      const u = px * cos - py * sin;
      const v = px * sin + py * cos;
      if (!inside(object.shape, u, v)) continue;
      covered++;
      if (secondTone(object.texture, u, v)) second++;
    }
  }
  return { share: covered / (SAMPLES * SAMPLES), second: covered > 0 ? second / covered : 0 };
}

function paintObject(canvas: Float32Array, size: number, object: SceneObject, random: Random): Extent {
  const unit = CANVAS / size;
  const tone = jitter(COLOURS[object.colour], 12, random);
  const bright = tone[0] + tone[1] + tone[2] > 330;
  const secondary = mix(tone, bright ? [0, 0, 0] : [255, 255, 255], 0.35);
  const fall = random.between(-0.16, 0.16);
  const reach = object.radius * 1.05;
  const from = (centre: number) => Math.max(0, Math.floor((centre - reach) / unit));
  const to = (centre: number) => Math.min(size - 1, Math.ceil((centre + reach) / unit));
  const shadow = Math.max(1, Math.round(1 / unit));
  let [left, top, right, bottom, area] = [size, size, -1, -1, 0];
  const shares: [pixel: number, share: number, second: number, light: number][] = [];
  for (let y = from(object.y); y <= to(object.y); y++) {
    for (let x = from(object.x); x <= to(object.x); x++) {
      const { share, second } = coverage(object, x, y, unit);
      if (share === 0) continue;
      area += share;
      if (share >= 0.5) {
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
      }
      shares.push([y * size + x, share, second, 1 + (fall * (y * unit - object.y)) / object.radius]);
      const below = (y + shadow) * size + x + shadow;
      if (y + shadow < size && x + shadow < size) blend(canvas, below, [0, 0, 0], 0.18 * share);
    }
  }
  for (const [pixel, share, second, light] of shares) {
    const rgb = mix(tone, secondary, second);
    blend(canvas, pixel, [rgb[0] * light, rgb[1] * light, rgb[2] * light], share);
  }
  return { bbox: [left, top, right - left + 1, bottom - top + 1], area: Math.round(area * 100) / 100 };
}

/** The pixels of a scene on a square canvas of `size` pixels. Pure: depends on its arguments alone. */
export function paintScene(scene: Scene, size: number): Picture {
  const random = createRandom(scene.seed, size);
  const canvas = new Float32Array(size * size * 3);
  const tone = jitter(BACKGROUNDS[scene.background], 10, random);
  paintBackground(canvas, size, scene, tone, random);
  paintClutter(canvas, size, tone, random);
  const extents = scene.objects.map((object) => paintObject(canvas, size, object, random));
  const deviation = random.between(2, 7);
  const gain = random.between(0.88, 1.08);
  const pixels = new Uint8Array(canvas.length);
  for (let i = 0; i < canvas.length; i++) {
    // The sum of four bytes of one draw is close enough to a normal distribution and many times as fast.
    const draw = random.bits();
    const sum = (draw & 255) + ((draw >>> 8) & 255) + ((draw >>> 16) & 255) + (draw >>> 24);
    const noise = ((sum - 510) / 147.8) * deviation;
    pixels[i] = Math.max(0, Math.min(255, Math.round(canvas[i]! * gain + noise)));
  }
  return { pixels, extents };
}
