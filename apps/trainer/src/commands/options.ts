/** Parsers of command-line values. A refused value ends the command with exit code 2 and the option's name. */
import { InputError } from '../errors.js';

/** A whole number from `low` to `high`, both included. */
export function wholeNumber(option: string, low: number, high: number = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < low || value > high) {
      const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`;
      throw new InputError(`${option} must be a whole number ${range}, found '${text}'`);
    }
    return value;
  };
}

/** A number above 0. */
export function positiveNumber(option: string) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value <= 0) {
      throw new InputError(`${option} must be a number above 0, found '${text}'`);
    }
    return value;
  };
}

export const GIGABYTE = 1e9;
/** Enough for a small dataset; what does not fit is decoded as it comes. */
export const DEFAULT_IMAGE_MEMORY_GB = 4;
