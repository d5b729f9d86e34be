/**
 * Rewrites a tokenizer.json so that the JavaScript pipeline computes what the reference implementation
 * (the Rust library `tokenizers`) computes. Each rewrite is one known difference:
 *
 * - Whitespace splits at `\w` and `\s`, which are ASCII in JavaScript and Unicode classes in the reference.
 * - The byte-level splitter's `\s` in JavaScript includes U+FEFF and lacks U+0085.
 * - Lower-casing turns a final capital sigma into ς in JavaScript, where the reference maps each character
 *   on its own to σ.
 * - Special tokens leave the vocabulary that text is matched against (a Unigram or word-level vocabulary lists
 *   them with the words), so that text which spells one is text; they are found by {@link splitAddedTokens} alone.
 */
import type { Step, TokenizerJson } from './files.js';

/** `\w` and `\s` of Unicode Technical Standard 18, Annex C. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const SPACE = '\\p{White_Space}';

/** A special token's name in the vocabulary for text: it contains U+0000 twice, so no pre-token of real text equals it. */
const hiddenName = (id: number) => `\u0000${id}\u0000`;

/** The pipeline for text without special tokens; `added_tokens` is empty. Ids stay as they are. */
export function portableTokenizer(json: TokenizerJson): TokenizerJson {
  const hidden = new Map(
    json.added_tokens.filter(({ special }) => special).map(({ content, id }) => [content, hiddenName(id)]),
  );
  const rename = (token: string) => hidden.get(token) ?? token;
  const { model } = json;
  return {
    ...json,
    added_tokens: [],
    normalizer: mapSteps(json.normalizer, 'normalizers', portableNormalizer),
    pre_tokenizer: mapSteps(json.pre_tokenizer, 'pretokenizers', portablePreTokenizer),
    post_processor: null,
    model: {
      ...model,
      vocab: Array.isArray(model.vocab)
        ? model.vocab.map(([token, score]): [string, number] => [rename(token), score])
        : Object.fromEntries(Object.entries(model.vocab).map(([token, id]) => [rename(token), id])),
      unk_token: model.unk_token == null ? model.unk_token : rename(model.unk_token),
    },
  };
}

/** Applies `map` to each leaf of a pipeline that nests through `Sequence`. */
function mapSteps(step: Step | null, children: string, map: (step: Step) => Step): Step | null {
  if (step === null) return null;
  if (step.type !== 'Sequence') return map(step);
  const steps = step[children] as Step[];
  return { ...step, [children]: steps.map((child) => mapSteps(child, children, map)) };
}

/** Whether a pipeline has a step of one of these types. */
export function hasStep(step: Step | null, children: string, types: readonly string[]): boolean {
  if (step === null) return false;
  if (step.type !== 'Sequence') return types.includes(step.type);
  return (step[children] as Step[]).some((child) => hasStep(child, children, types));
}

function portableNormalizer(step: Step): Step {
  const lowers = step.type === 'Lowercase' || (step.type === 'BertNormalizer' && step.lowercase !== false);
  if (!lowers) return step;
  const sigma = { type: 'Replace', pattern: { String: 'Σ' }, content: 'σ' };
  return { type: 'Sequence', normalizers: [sigma, step] };
}

/** How GPT-2 splits text into words. */
const GPT2_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function portablePreTokenizer(step: Step): Step {
  if (step.type === 'Whitespace') return matches(`[${WORD}]+|[^${WORD}${SPACE}]+`);
  if (step.type === 'ByteLevel' && step.use_regex !== false && step.add_prefix_space === false) {
    return { type: 'Sequence', pretokenizers: [matches(GPT2_WORDS), { ...step, use_regex: false }] };
  }
  return step;
}

/** A pre-tokenizer that keeps the matches of an Oniguruma pattern. */
function matches(Regex: string): Step {
  return { type: 'Split', pattern: { Regex }, behavior: 'Removed', invert: true };
}
