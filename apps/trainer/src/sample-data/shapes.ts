/**
 * The shapes as point-in-shape tests. A point is given in the object's own frame: centred, in units of the object's
 * radius, y growing upwards. `secondTone` tells which of an object's two tones a point has.
 */
import type { Shape, Texture } from './vocabulary.js';

type Point = readonly [number, number];

/** Corners of a regular star polygon; inner = outer gives a plain polygon. */
const spikes = (count: number, outer: number, inner: number): Point[] =>
  Array.from({ length: 2 * count }, (_, i) => {
    const angle = Math.PI / 2 + (i * Math.PI) / count;
    const length = i % 2 === 0 ? outer : inner;
    return [length * Math.cos(angle), length * Math.sin(angle)];
  });

const STAR = spikes(5, 1, 0.42);
const TRIANGLE: readonly Point[] = [
  [0, 0.95],
  [-0.88, -0.65],
  [0.88, -0.65],
];

function insidePolygon(x: number, y: number, corners: readonly Point[]): boolean {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [xi, yi] = corners[i]!;
    const [xj, yj] = corners[j]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

const TESTS: Record<Shape, (x: number, y: number) => boolean> = {
  circle: (x, y) => x * x + y * y <= 0.82,
  square: (x, y) => Math.abs(x) <= 0.76 && Math.abs(y) <= 0.76,
  triangle: (x, y) => insidePolygon(x, y, TRIANGLE),
  star: (x, y) => insidePolygon(x, y, STAR),
  cross: (x, y) =>
    (Math.abs(x) <= 0.29 && Math.abs(y) <= 0.92) || (Math.abs(y) <= 0.29 && Math.abs(x) <= 0.92),
  ring: (x, y) => {
    const square = x * x + y * y;
    return square <= 0.9 && square >= 0.3;
  },
};

/** Whether the point (in units of the radius) lies in the shape. */
export const inside = (shape: Shape, x: number, y: number): boolean => TESTS[shape](x, y);

/** True where the second tone of a texture lies. */
export function secondTone(texture: Texture, x: number, y: number): boolean {
  switch (texture) {
    case 'plain':
      return false;
    case 'striped':
      return ((((x + y) * 1.9) % 1) + 1) % 1 < 0.42;
    case 'checkered':
      return (Math.floor(x * 2.2 + 10) + Math.floor(y * 2.2 + 10)) % 2 === 0;
    case 'dotted': {
      const u = ((x * 1.9 + 10.25) % 1) - 0.5;
      const v = ((y * 1.9 + 10.25) % 1) - 0.5;
      return u * u + v * v < 0.075;
    }
  }
}
