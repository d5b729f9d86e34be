/** preprocessor_config.json of a new model's image tower. */

export const PROCESSOR_FILE = 'preprocessor_config.json';

/** The usual processor of a ViT: stretched to the square that the tower takes, values in [−1, 1]. */
export function defaultProcessor(vision: Readonly<Record<string, unknown>>): string {
  const side = typeof vision.image_size === 'number' ? vision.image_size : 224;
  const config = {
    image_processor_type: 'ViTImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { height: side, width: side },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/**
 * A processor with some of its keys set anew, such as size and crop_size.
 * @param content preprocessor_config.json
 */
export function withChanges(
  content: string | Uint8Array,
  changes: Readonly<Record<string, unknown>>,
): string {
  const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
  return `${JSON.stringify({ ...(JSON.parse(text) as object), ...changes }, null, 2)}\n`;
}
