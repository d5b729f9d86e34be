export { checkFolder, describeResult, type ParityResult } from './check.js';
