/** preprocessor_config.json of a ViT: images stretched to `side` × `side` pixels, values in [−1, 1]. */
export const vitProcessor = (side: number): Record<string, unknown> => ({
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
});
