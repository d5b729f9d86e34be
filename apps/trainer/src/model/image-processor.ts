/** preprocessor_config.json of a new model's image tower. */
import { vitProcessor } from '@clip-ts/clip/preprocess';

export const PROCESSOR_FILE = 'preprocessor_config.json';

/** That of a ViT for the square that the tower takes. */
export function defaultProcessor(vision: Readonly<Record<string, unknown>>): string {
  const side = typeof vision.image_size === 'number' ? vision.image_size : 224;
  return `${JSON.stringify(vitProcessor(side), null, 2)}\n`;
}

/**
 * A processor with some of its keys replaced, such as size and crop_size.
 * @param content preprocessor_config.json
 */
export function withChanges(
  content: string | Uint8Array,
  changes: Readonly<Record<string, unknown>>,
): string {
  const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
  return `${JSON.stringify({ ...(JSON.parse(text) as object), ...changes }, null, 2)}\n`;
}
