/** The tokenizer of a text tower that starts from scratch, and what the tower's config takes from it. */
import { usualLength } from './caption-length.js';
import {
  BOS_ID,
  buildWordLevelTokenizer,
  EOS_ID,
  tokenLengths,
  PAD_ID,
  type TokenizerFiles,
} from './word-level-tokenizer.js';

/** Files of a checkpoint that make up its tokenizer. Training does not change them. */
export const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'added_tokens.json',
  // SentencePiece models, which Python's SiglipTokenizer and XLMRobertaTokenizer read
  'spiece.model',
  'sentencepiece.bpe.model',
] as const;

/** Text towers with embeddings that tell apart the two texts of a pair; one text needs one of them. */
const WITH_TOKEN_TYPES = new Set(['bert', 'roberta', 'xlm-roberta']);

export interface ScratchTokenizer {
  files: TokenizerFiles['files'];
  words: number;
  /** Tokens of a caption, start and end token included. */
  maxLength: number;
  /** Keys of the text tower's config that follow from the tokenizer. */
  towerConfig: Record<string, unknown>;
}

/** @param maxLength −1: as many as nearly all captions need */
export function scratchTokenizer(
  corpus: readonly string[],
  maxLength: number,
  modelType: string,
): ScratchTokenizer {
  const length = maxLength === -1 ? usualLength(tokenLengths(corpus)) : maxLength;
  const { vocabularySize, files } = buildWordLevelTokenizer(corpus, length);
  const towerConfig = {
    vocab_size: vocabularySize,
    // RoBERTa counts positions from the padding id + 1.
    max_position_embeddings: length + PAD_ID + 1,
    ...(WITH_TOKEN_TYPES.has(modelType) ? { type_vocab_size: 1 } : {}),
    bos_token_id: BOS_ID,
    pad_token_id: PAD_ID,
    eos_token_id: EOS_ID,
  };
  return { files, words: vocabularySize, maxLength: length, towerConfig };
}
