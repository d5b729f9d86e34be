export {
  loadTokenizer,
  type EncodedTexts,
  type EncodeOptions,
  type TokenIdsOptions,
  type Tokenizer,
} from './tokenizer.js';
export { wordLevelTokenizer } from './word-level.js';
