export {
  loadTokenizer,
  type EncodedTexts,
  type EncodeOptions,
  type TokenIdsOptions,
  type Tokenizer,
} from './tokenizer.js';
