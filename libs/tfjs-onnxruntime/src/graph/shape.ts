/** Shape arithmetic shared by the kernels. */
import { EngineError } from '../errors.js';

export { sizeOf } from './value.js';

/** NumPy broadcasting of any number of shapes. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    shape.forEach((d, i) => {
      const known = result[offset + i]!;
      if (known === d || d === 1) return;
      if (known !== 1) {
        throw new EngineError('SHAPE_MISMATCH', `shapes do not broadcast`, { shapes, kernel: 'broadcast' });
      }
      result[offset + i] = d;
    });
  }
  return result;
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

/** Axes as non-negative, sorted numbers; undefined or null means all of them. */
export function normalizeAxes(axis: number | readonly number[] | null | undefined, rank: number): number[] {
  if (axis === undefined || axis === null) return range(rank);
  const axes = typeof axis === 'number' ? [axis] : axis;
  return axes.map((a) => (a < 0 ? a + rank : a)).sort((a, b) => a - b);
}

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

export function reducedShape(shape: readonly number[], axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((d, i) => (axes.includes(i) ? 1 : d))
    : shape.filter((_, i) => !axes.includes(i));
}
