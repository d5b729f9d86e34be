/**
 * Where each tensor of a tower stands between its input and its output, counted in blocks: 0 embeddings, 1 … depth the
 * blocks, depth + 1 what follows. Layer-wise rates and partly frozen towers go by it.
 */
import type { DualEncoder } from './dual-encoder.js';
import type { TensorSpec } from './types.js';

export interface TowerPosition {
  readonly side: 'vision' | 'text';
  /** 0 … depth + 1 */
  readonly layer: number;
  /** Blocks of the tower. */
  readonly depth: number;
}

/** A block of a tower, or a stage with the block in it: `encoder.layer.3.`, `encoder.stages.1.layers.0.`, … */
const BLOCK = /(?:^|\.)(?:layers?|stages)\.\d+\.(?:(?:blocks|layers)\.\d+\.)?/;
const IN_STAGE = /\.\d+\.\w+\.\d+\.$/;

/** Stands after the blocks in a file and before them in the computation: all of them use it. */
const SHARED = /(?:^|\.)relative_attention_bias\./;

/**
 * The positions of both towers' tensors, by name in the checkpoint. What stands between two blocks (a downsampling)
 * counts with the block before it.
 */
export function towerPositions(model: DualEncoder): Map<string, TowerPosition> {
  const positions = new Map<string, TowerPosition>();
  for (const side of ['vision', 'text'] as const) {
    const { layers, depth } = layersOf(model[side].specs);
    const prefix = side === 'vision' ? model.visionPrefix : model.textPrefix;
    for (const [name, layer] of layers) positions.set(prefix + name, { side, layer, depth });
  }
  return positions;
}

function layersOf(specs: readonly TensorSpec[]): { layers: Map<string, number>; depth: number } {
  const keys = specs.map(({ name }) => BLOCK.exec(name)?.[0]);
  const inStages = keys.some((key) => key !== undefined && IN_STAGE.test(key));
  const isBlock = (key: string | undefined): key is string =>
    key !== undefined && (!inStages || IN_STAGE.test(key));
  const blocks = [...new Set(keys.filter(isBlock))];
  const numbers = new Map(blocks.map((key, index) => [key, index + 1]));
  const last = keys.findLastIndex(isBlock);
  const layers = new Map<string, number>();
  let current = 0;
  specs.forEach(({ name }, i) => {
    const key = keys[i];
    if (isBlock(key)) current = numbers.get(key)!;
    else if (i > last) current = blocks.length + 1;
    layers.set(name, SHARED.test(name) ? 0 : current);
  });
  return { layers, depth: blocks.length };
}
