/** Parsers of command-line values. A refused value ends the command with exit code 2 and the option's name. */
import { InputError } from './errors.js';

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
