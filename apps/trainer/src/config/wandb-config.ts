/** input/wandb_config.json: the Weights & Biases account to log to. Placeholders of X turn logging off. */
import { z } from 'zod';

export const wandbConfigSchema = z.strictObject({
  WB_ENTITY: z.string('expected a string'),
  WB_PROJECT: z.string('expected a string'),
  WB_KEY: z.string('expected a string'),
});

export interface WandbAccount {
  entity: string;
  project: string;
  key: string;
}

const isPlaceholder = (value: string) => /^X*$/.test(value.trim());

/**
 * The account to log to, or undefined when logging is off. The key may come from the environment instead, so that it
 * need not lie in a file.
 */
export function wandbAccount(
  config: z.infer<typeof wandbConfigSchema>,
  environmentKey: string | undefined,
): WandbAccount | undefined {
  const key = isPlaceholder(config.WB_KEY) ? environmentKey : config.WB_KEY;
  if (!key || isPlaceholder(config.WB_ENTITY) || isPlaceholder(config.WB_PROJECT)) return undefined;
  return { entity: config.WB_ENTITY, project: config.WB_PROJECT, key };
}
