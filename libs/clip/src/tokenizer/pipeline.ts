/**
 * The part of `@huggingface/tokenizers` that is used here. Its published types import without file extensions,
 * which NodeNext resolution does not follow, so the types are stated in this file.
 */
import * as library from '@huggingface/tokenizers';

interface Model {
  _call(words: string[]): string[];
  encode(words: string[]): string[];
  /** Of Unigram models: the tokens of one word. */
  tokenize?(word: string): string[];
  tokens_to_ids: ReadonlyMap<string, number>;
}

/** A subword pipeline. Each step is null when tokenizer.json has none. */
export interface Pipeline {
  decode(ids: number[], options: { skip_special_tokens: boolean }): string;
  normalizer: { _call(text: string): string } | null;
  pre_tokenizer: { _call(text: string, options: { section_index: number }): string[] } | null;
  model: Model;
  token_to_id(token: string): number | undefined;
}

/** Builds a pipeline from the content of tokenizer.json. */
export function createPipeline(json: object): Pipeline {
  const { Tokenizer } = library as unknown as { Tokenizer: new (json: object, config: object) => Pipeline };
  const pipeline = new Tokenizer(json, {});
  liftUnigramLimit(pipeline.model);
  return pipeline;
}

/** The library passes the tokens of a word as arguments of a call, and very many of them overflow the stack. */
function liftUnigramLimit(model: Model): void {
  const tokenize = model.tokenize?.bind(model);
  if (tokenize !== undefined) model.encode = (words) => words.flatMap(tokenize);
}
