/** Settings of the model configuration that contradict the model that a run starts from. Pure. */
import type { DualEncoder } from '@clip-ts/clip/model';
import type { InitModelConfig } from '../config/model-config.js';
import { InputError } from '../errors.js';

/**
 * Towers come from the model; what else the configuration says must be as the model has it.
 * @param file where the configuration was read
 * @throws InputError INIT_FROM_CONFLICT naming key, expected and found value
 */
export function assertNoConflict(
  config: InitModelConfig & { init_from: string },
  file: string,
  { config: model, embeddingSize }: Pick<DualEncoder, 'config' | 'embeddingSize'>,
): void {
  const refuse = (key: keyof InitModelConfig, expected: string): never => {
    throw new InputError(
      `${file}: "${key}" contradicts init_from ${config.init_from}: expected ${expected}, found ${JSON.stringify(config[key])}`,
      'INIT_FROM_CONFLICT',
    );
  };
  for (const key of ['vision_backbone', 'text_backbone'] as const)
    if (config[key] !== undefined) refuse(key, 'the key left out, since both towers come from init_from');
  if (config.image_processor !== undefined)
    refuse('image_processor', 'the key left out, since the image processor comes from init_from');
  const own = {
    dim: embeddingSize,
    text_pooling: model.text_pooling,
    projection_head: model.projection_head,
  };
  for (const [key, value] of Object.entries(own) as [keyof typeof own, unknown][])
    if (config[key] !== undefined && config[key] !== value)
      refuse(key, `${JSON.stringify(value)} as in the model, or the key left out`);
  if (config.dropout && model.kind !== 'vision-text-dual-encoder')
    refuse(
      'dropout',
      `0 or the key left out: the layout of a ${model.kind} model has no dropout in its heads`,
    );
}
