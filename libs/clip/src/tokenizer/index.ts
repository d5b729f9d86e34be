export { loadTokenizer } from './load-tokenizer.js';
export type { EncodedTexts, EncodeOptions, TokenIdsOptions, Tokenizer } from './tokenizer.js';
export { wordLevelTokenizer } from './word-level.js';
