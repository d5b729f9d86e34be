/** Parsers of command-line values. An invalid value ends the command with exit code 2 and an error that names the option. */
import { usableCores } from '@clip-ts/clip/system';
import { InputError } from '../errors.js';

/** An integer from `low` to `high`, both included. */
export function integer(option: string, low: number, high: number = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < low || value > high) {
      const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`;
      throw new InputError(`${option} must be an integer ${range}, found '${text}'`);
    }
    return value;
  };
}

/** A number of at least 0. */
export function numberFromZero(option: string) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
      throw new InputError(`${option} must be a number of at least 0, found '${text}'`);
    }
    return value;
  };
}

export const GIGABYTE = 1e9;
/** Enough for a small dataset; images that do not fit are decoded whenever they are shown. */
export const DEFAULT_IMAGE_MEMORY_GB = 4;
/** Threads that decode images: one for each core. */
export const DEFAULT_WORKERS = usableCores();
