/**
 * Text → input_ids, attention_mask, from a checkpoint's own tokenizer.json.
 *
 * The subword models (BPE, WordPiece, Unigram, word level) are those of `@huggingface/tokenizers`, the tokenizer
 * of transformers.js; around them this file does what the reference does: added tokens, template, truncation that
 * keeps the end token, padding. Ids equal those of Python's fast tokenizers.
 *
 * Shape letters: B texts, T tokens.
 */
import { ClipError } from '../errors.js';
import { orderMarks } from './combining-marks.js';
import type { TokenizerFiles } from './files.js';
import { createPipeline, type Pipeline } from './pipeline.js';
import { hasStep, portableTokenizer } from './portable.js';
import { addedTokenSplitter, type AddedTokenSplitter } from './added-tokens.js';
import { singleTextTemplate, type Template } from './post-processor.js';

/** A model_max_length above this is a way of writing "none" (transformers writes 1e30). */
const NO_MAX_LENGTH = 1e9;
/** Normalisers that bring combining marks into their canonical order. */
const ORDERING = ['NFC', 'NFD', 'NFKC', 'NFKD', 'BertNormalizer', 'StripAccents', 'Precompiled'];
const LONE_SURROGATE = /\p{Surrogate}/gu;

export interface TokenIdsOptions {
  /** Maximum number of tokens of a text, special tokens included; the content is truncated so that the end token stays. Default: the tokenizer's {@link Tokenizer.maxLength}. */
  maxLength?: number;
  /**
   * Reads special tokens spelled out in the text, such as `</s>`, as text. Off by default, as in transformers
   * (its `split_special_tokens`); turn it on for untrusted text.
   */
  splitSpecialTokens?: boolean;
}

export interface EncodeOptions extends TokenIdsOptions {
  /** Pad to this length; default: to the longest text of the batch. */
  padTo?: number;
}

/** Row-major [B, T]. `attention_mask` is 1 for tokens and 0 for padding. */
export interface EncodedTexts {
  input_ids: Int32Array;
  attention_mask: Int32Array;
  shape: [B: number, T: number];
}

/**
 * Makes a tokenizer of its files.
 * @param name of the model, for errors
 * @throws ClipError TOKENIZER_INVALID
 */
export function createTokenizer(files: TokenizerFiles, name: string): Tokenizer {
  try {
    return new Tokenizer(files);
  } catch (cause) {
    if (cause instanceof ClipError) throw cause;
    throw new ClipError('TOKENIZER_INVALID', `the tokenizer of ${name} cannot be built`, {
      found: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

/** A tokenizer; make one with {@link createTokenizer}. */
export class Tokenizer {
  /** Number of ids: the largest id + 1, added tokens included. */
  readonly vocabSize: number;
  /** The id that pads short rows. */
  readonly padTokenId: number;
  /** The id of what the vocabulary does not have; undefined when it has everything, as byte-level vocabularies do. */
  readonly unknownTokenId: number | undefined;
  /** The maximum number of tokens that the tokenizer's files allow; Infinity when they give none. */
  readonly maxLength: number;

  private readonly pipeline: Pipeline;
  private readonly template: Template;
  /** Whether the normaliser brings combining marks into their canonical order. */
  private readonly ordersMarks: boolean;
  /** Tokens beside the vocabulary's own, by id. */
  private readonly added: ReadonlyMap<number, { content: string; special: boolean }>;
  private readonly paddingSide: 'left' | 'right';
  private readonly truncationSide: 'left' | 'right';
  private readonly splitters: Record<
    'all' | 'plain',
    { raw: AddedTokenSplitter; normalized: AddedTokenSplitter }
  >;

  constructor({ json, config }: TokenizerFiles) {
    const portable = portableTokenizer(json);
    this.pipeline = createPipeline(portable);
    this.ordersMarks = hasStep(portable.normalizer, 'normalizers', ORDERING);
    this.template = singleTextTemplate(json.post_processor);
    this.paddingSide = config.padding_side ?? 'right';
    this.truncationSide = config.truncation_side ?? 'right';
    const { unk_token: unknown, unk_id: unknownId } = portable.model;
    this.unknownTokenId = unknown == null ? (unknownId ?? undefined) : this.pipeline.token_to_id(unknown);

    const added = json.added_tokens;
    this.added = new Map(added.map((token) => [token.id, token]));
    const splitter = (normalized: boolean, tokens: typeof added) =>
      addedTokenSplitter(
        tokens.filter((token) => token.normalized === normalized),
        (content) => (normalized ? this.normalize(content) : content),
      );
    const plain = added.filter(({ special }) => !special);
    this.splitters = {
      all: { raw: splitter(false, added), normalized: splitter(true, added) },
      plain: { raw: splitter(false, plain), normalized: splitter(true, plain) },
    };

    const ids = this.pipeline.model.tokens_to_ids;
    let largest = -1;
    for (const id of ids.values()) largest = Math.max(largest, id);
    for (const { id } of added) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
    const limit = config.model_max_length ?? NO_MAX_LENGTH;
    this.maxLength = limit < NO_MAX_LENGTH ? limit : Infinity;
    this.padTokenId = padTokenId(json, config.pad_token ?? undefined, ids);
  }

  /** The text that ids stand for, for people to read: without special tokens but that of unknown words. */
  decode(ids: readonly number[]): string {
    const parts: string[] = [];
    let plain: number[] = [];
    const close = () => {
      if (plain.length > 0) parts.push(this.pipeline.decode(plain, { skip_special_tokens: true }));
      plain = [];
    };
    for (const id of ids) {
      const added = this.added.get(id);
      if (added === undefined) plain.push(id);
      else {
        close();
        if (!added.special || id === this.unknownTokenId) parts.push(added.content);
      }
    }
    close();
    return parts.join(' ');
  }

  /**
   * The ids of one text with its special tokens, not padded.
   * @throws ClipError TEXT_INVALID when `text` is not a string or `maxLength` has no room for the special tokens
   */
  tokenIds(
    text: string,
    { maxLength = this.maxLength, splitSpecialTokens = false }: TokenIdsOptions = {},
  ): number[] {
    if (typeof text !== 'string') {
      throw new ClipError('TEXT_INVALID', 'a text to tokenize is not a string', { found: typeof text });
    }
    const { prefix, suffix } = this.template;
    const room = maxLength - prefix.length - suffix.length;
    if (!(room >= 0)) {
      throw new ClipError('TEXT_INVALID', 'the length to truncate to has no room for the special tokens', {
        expected: `at least ${prefix.length + suffix.length}`,
        found: String(maxLength),
      });
    }
    let content = this.contentIds(text.replace(LONE_SURROGATE, '\ufffd'), splitSpecialTokens);
    if (content.length > room) {
      content =
        this.truncationSide === 'right' ? content.slice(0, room) : content.slice(content.length - room);
    }
    return [...prefix, ...content, ...suffix];
  }

  /**
   * Encodes texts as one batch.
   * @throws ClipError TEXT_INVALID as {@link tokenIds}, or when a row is longer than `padTo`
   */
  encode(texts: readonly string[], { padTo, ...options }: EncodeOptions = {}): EncodedTexts {
    const rows = texts.map((text) => this.tokenIds(text, options));
    const longest = rows.reduce((length, row) => Math.max(length, row.length), 0);
    const T = padTo ?? longest;
    if (longest > T) {
      throw new ClipError('TEXT_INVALID', 'a text is longer than the length to pad to', {
        expected: `at most ${T} tokens`,
        found: `${longest}`,
        hint: 'Give maxLength as well to have longer texts cut',
      });
    }
    const B = rows.length;
    const input_ids = new Int32Array(B * T).fill(this.padTokenId);
    const attention_mask = new Int32Array(B * T);
    rows.forEach((row, b) => {
      const start = b * T + (this.paddingSide === 'right' ? 0 : T - row.length);
      input_ids.set(row, start);
      attention_mask.fill(1, start, start + row.length);
    });
    return { input_ids, attention_mask, shape: [B, T] };
  }

  private contentIds(text: string, splitSpecialTokens: boolean): number[] {
    const splitter = this.splitters[splitSpecialTokens ? 'plain' : 'all'];
    const { pre_tokenizer: preTokenizer, model } = this.pipeline;
    const ids: number[] = [];
    splitter.raw(text).forEach((section, section_index) => {
      if (typeof section !== 'string') {
        ids.push(section.id);
        return;
      }
      for (const piece of splitter.normalized(this.normalize(section))) {
        if (typeof piece !== 'string') {
          ids.push(piece.id);
          continue;
        }
        const words = preTokenizer === null ? [piece] : preTokenizer._call(piece, { section_index });
        for (const token of model._call(words)) ids.push(this.idOf(token));
      }
    });
    return ids;
  }

  private normalize(text: string): string {
    const { normalizer } = this.pipeline;
    if (normalizer === null) return text;
    return normalizer._call(this.ordersMarks ? orderMarks(text) : text);
  }

  private idOf(token: string): number {
    const id = this.pipeline.token_to_id(token) ?? this.unknownTokenId;
    if (id !== undefined) return id;
    throw new ClipError(
      'TOKENIZER_INVALID',
      `the tokenizer has no id for ${JSON.stringify(token)} and no unknown token`,
    );
  }
}

function padTokenId(
  json: TokenizerFiles['json'],
  name: string | undefined,
  ids: ReadonlyMap<string, number>,
): number {
  const padding = json.padding as { pad_id?: number } | null | undefined;
  const id =
    name === undefined
      ? padding?.pad_id
      : (json.added_tokens.find(({ content }) => content === name)?.id ?? ids.get(name));
  if (id !== undefined) return id;
  throw new ClipError(
    'TOKENIZER_INVALID',
    name === undefined
      ? 'the tokenizer names no padding token'
      : `the padding token ${JSON.stringify(name)} is not in the vocabulary`,
    { hint: 'Add "pad_token" to tokenizer_config.json' },
  );
}
