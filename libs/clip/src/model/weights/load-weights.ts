/**
 * Reads a model's weights out of a checkpoint as it is on the hub: other prefixes, task heads, absent poolers,
 * old names, extra buffers, shards, half precision. A difference that is not known to be harmless is an error
 * that lists every tensor concerned.
 */
import { ClipError } from '../../errors.js';
import type { HostTensor, TensorSpec } from '../types.js';
import { initTensor } from './initialize.js';
import { openTensorSource, type TensorSource } from './source.js';

/** Heads that task models put beside the tower, outside its prefix. */
const TASK_HEADS =
  /^(classifier|cls_classifier|distillation_classifier|pre_classifier|lm_head|cls|qa_outputs|score|decoder|vocab_transform|vocab_layer_norm|vocab_projector)\./;

/** Buffers that old or other versions store and that follow from the config. */
const DERIVED_BUFFERS =
  /(^|\.)(position_ids|token_type_ids|relative_position_index|num_batches_tracked|attn_mask)$/;

/** The most tensors that an error lists of each kind. */
const LISTED = 20;

export interface LoadOptions {
  /** Prefixes that the file may have before the specs' names, tried beside none; the best fit is taken. */
  readonly prefixes?: readonly string[];
  /** True for the names, without prefix, of further tensors of the file that may be left out. */
  readonly isDroppable?: (name: string) => boolean;
  /** Of the parameters that the file may lack, which are initialised and reported to `onWarning`. Default 0. */
  readonly seed?: number;
  readonly onWarning?: (message: string) => void;
}

/**
 * Loads the tensors that `specs` describe, as float32.
 * @throws ClipError WEIGHTS_MISMATCH listing missing, unexpected and misshapen tensors by name
 */
export async function loadWeights(
  folder: string,
  specs: readonly TensorSpec[],
  options: LoadOptions = {},
): Promise<Record<string, HostTensor>> {
  const source = await openTensorSource(folder);
  try {
    const names = matchNames(source, specs, options.prefixes ?? []);
    const initialised = checkDifference(source, specs, names, options);
    const tensors: Record<string, HostTensor> = {};
    for (const spec of specs) {
      const stored = names.get(spec.name);
      tensors[spec.name] =
        stored === undefined ? initTensor(spec, options.seed ?? 0) : await read(source, stored, spec);
    }
    if (initialised.length > 0) {
      options.onWarning?.(
        `${folder} has no ${initialised.join(', ')}: initialised from scratch, to be trained before use`,
      );
    }
    return tensors;
  } finally {
    await source.close();
  }
}

async function read(source: TensorSource, stored: string, { shape, dtype }: TensorSpec): Promise<HostTensor> {
  const data = await source.readFloat32(stored);
  return dtype === 'int64'
    ? { data: Int32Array.from(data), shape, dtype: 'int32' }
    : { data, shape, dtype: 'float32' };
}

/** Spec name → the file's name of it, under the prefix that fits the most tensors. */
export function matchNames(
  source: TensorSource,
  specs: readonly TensorSpec[],
  prefixes: readonly string[],
): Map<string, string> {
  const wanted = new Set(specs.map((spec) => spec.name));
  let best = new Map<string, string>();
  for (const prefix of ['', ...prefixes]) {
    const found = new Map<string, string>();
    for (const stored of source.tensors.keys()) {
      const name = stored.startsWith(prefix) ? modernName(stored.slice(prefix.length)) : undefined;
      if (name !== undefined && wanted.has(name)) found.set(name, stored);
    }
    if (found.size > best.size) best = found;
  }
  return best;
}

/** TensorFlow's names for layer norm parameters, in checkpoints converted long ago. */
function modernName(name: string): string {
  return name.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
}

/** Fails on any difference that is not harmless; gives the parameters to initialise. */
function checkDifference(
  source: TensorSource,
  specs: readonly TensorSpec[],
  names: ReadonlyMap<string, string>,
  { isDroppable = () => false, prefixes = [] }: LoadOptions,
): string[] {
  const absent = specs.filter((spec) => !names.has(spec.name) && spec.dtype !== 'int64');
  const missing = absent.filter((spec) => spec.optional !== true);
  const used = new Set(names.values());
  const harmless = (stored: string) => {
    const prefix = prefixes.find((candidate) => stored.startsWith(candidate)) ?? '';
    const name = stored.slice(prefix.length);
    return DERIVED_BUFFERS.test(name) || TASK_HEADS.test(stored) || isDroppable(name) || isDroppable(stored);
  };
  const unexpected = [...source.tensors.keys()].filter((stored) => !used.has(stored) && !harmless(stored));
  const misshapen = specs.flatMap((spec) => {
    const stored = names.get(spec.name);
    const found = stored === undefined ? undefined : source.tensors.get(stored)?.shape;
    const same = found?.length === spec.shape.length && found.every((size, i) => size === spec.shape[i]);
    return found === undefined || same
      ? []
      : [`${stored} (expected [${spec.shape.join(', ')}], found [${found.join(', ')}])`];
  });
  if (missing.length + unexpected.length + misshapen.length > 0) {
    const missed = missing.map((spec) => `${spec.name} [${spec.shape.join(', ')}]`);
    const parts = [list('missing', missed), list('unexpected', unexpected), list('misshapen', misshapen)];
    throw new ClipError(
      'WEIGHTS_MISMATCH',
      `The weights in ${source.folder} are not those of its config: ${parts.filter((part) => part !== '').join('; ')}`,
    );
  }
  return absent.map((spec) => spec.name);
}

function list(kind: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `${names.length} ${kind}: ${names.slice(0, LISTED).join(', ')}${more}`;
}
