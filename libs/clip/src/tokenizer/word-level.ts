/** tokenizer.json (format of github.com/huggingface/tokenizers) of a vocabulary of whole words. */

export interface WordLevelOptions {
  /** The vocabulary in the order of ids. */
  tokens: readonly string[];
  /** Those of them that are matched in a text as they are and left out when it is decoded. */
  special: readonly string[];
  /** The token of words that the vocabulary lacks. */
  unknown: string;
  normalizer: object | null;
  preTokenizer: object;
  /** Special tokens around each text; absent: none. */
  template?: { before: string | undefined; after: string };
}

export function wordLevelTokenizer(options: WordLevelOptions): object {
  const { tokens, special, unknown, normalizer, preTokenizer, template } = options;
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((token) => addedToken(token, vocab[token]!)),
    normalizer,
    pre_tokenizer: preTokenizer,
    post_processor: template === undefined ? null : templateProcessing(template, vocab),
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: unknown },
  };
}

const addedToken = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

function templateProcessing(
  { before, after }: { before: string | undefined; after: string },
  vocab: Readonly<Record<string, number>>,
): object {
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const text = (id: 'A' | 'B') => ({ Sequence: { id, type_id: 0 } });
  const start = before === undefined ? [] : [token(before)];
  const entries = [...(before === undefined ? [] : [before]), after].map((name) => [
    name,
    { id: name, ids: [vocab[name]!], tokens: [name] },
  ]);
  return {
    type: 'TemplateProcessing',
    single: [...start, text('A'), token(after)],
    pair: [...start, text('A'), token(after), text('B'), token(after)],
    special_tokens: Object.fromEntries(entries) as object,
  };
}
