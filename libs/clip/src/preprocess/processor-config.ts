/**
 * preprocessor_config.json: what the image processors of transformers do for each family, as one plan
 * (resize, centre crop, rescale, normalise). Older files give sizes as one number, whose meaning depends on the
 * class; missing fields take the defaults of the class.
 */
import { z } from 'zod';
import { ClipError } from '../errors.js';
import { RESAMPLE_FILTERS, type ResampleFilter } from './resample/filters.js';

/** How an image is resized: to exact sides, or its shorter side to a length. */
type Resize = { height: number; width: number } | { shortestEdge: number };

/** The steps of preprocessing, in order. */
export interface PreprocessPlan {
  resize: Resize | null;
  filter: ResampleFilter;
  /** Centre crop, padded with black where the image is smaller. */
  crop: { height: number; width: number } | null;
  /**
   * Where a crop that leaves an odd number of pixels begins: rounded down (the classic processors), or
   * to the nearest integer, halves to even (torchvision: the `…Fast` processors, and OpenAI's own CLIP).
   */
  cropRounding: 'down' | 'even';
  /** 1/255 usually; null when pixels stay 0 … 255. */
  rescaleFactor: number | null;
  /** Per channel, applied after rescaling; null to leave the values. */
  normalize: { mean: readonly number[]; std: readonly number[] } | null;
  /** The size of the result. */
  height: number;
  width: number;
}

const side = z.int().positive().max(16_384);
const sizeSchema = z.union([
  side,
  z.looseObject({
    height: side.nullish(),
    width: side.nullish(),
    shortest_edge: side.nullish(),
    longest_edge: z.number().nullish(),
  }),
]);
const triple = z.union([
  z.array(z.number()).length(3),
  z.number().transform((value) => [value, value, value]),
]);
const flag = z.boolean().nullish();

const schema = z.looseObject({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: flag,
  size: sizeSchema.nullish(),
  default_to_square: flag,
  resample: z.int().min(0).max(5).nullish(),
  do_center_crop: flag,
  crop_size: sizeSchema.nullish(),
  crop_pct: z.number().positive().max(1).nullish(),
  do_rescale: flag,
  rescale_factor: z.number().positive().nullish(),
  do_normalize: flag,
  image_mean: triple.nullish(),
  image_std: triple.nullish(),
});
type PreprocessorConfig = z.infer<typeof schema>;

/** Fields that would change the result and are not implemented; refused when set. */
const UNSUPPORTED = [
  'do_pad',
  'do_thumbnail',
  'do_align_long_axis',
  'do_flip_channel_order',
  'do_reduce_labels',
  'do_image_splitting',
  'rescale_offset',
  'size_divisor',
] as const;

interface Family {
  size: number;
  /** Whether a size of one number means a square, or else the shorter side. */
  square: boolean;
  /** Side of the centre crop, when the class crops. */
  crop?: number;
  /** ConvNeXT's own rule: the fraction of the resized image that the crop keeps. */
  cropFraction?: number;
  filter: ResampleFilter;
  mean: readonly number[];
  std: readonly number[];
}

const HALF = [0.5, 0.5, 0.5] as const;
const OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
const OPENAI_STD = [0.26862954, 0.26130258, 0.27577711] as const;

/** Defaults of each class, under its name without `ImageProcessor`, `ImageProcessorFast` or `FeatureExtractor`. */
const FAMILIES: Readonly<Record<string, Family>> = {
  ViT: { size: 224, square: true, filter: 'bilinear', mean: HALF, std: HALF },
  DeiT: { size: 256, square: true, crop: 224, filter: 'bicubic', mean: HALF, std: HALF },
  Siglip: { size: 224, square: true, filter: 'bicubic', mean: HALF, std: HALF },
  CLIP: { size: 224, square: false, crop: 224, filter: 'bicubic', mean: OPENAI_MEAN, std: OPENAI_STD },
  Bit: { size: 224, square: false, crop: 224, filter: 'bicubic', mean: OPENAI_MEAN, std: OPENAI_STD },
  ConvNext: { size: 384, square: false, cropFraction: 224 / 256, filter: 'bilinear', mean: HALF, std: HALF },
  MobileNetV1: { size: 256, square: false, crop: 224, filter: 'bilinear', mean: HALF, std: HALF },
  MobileNetV2: { size: 256, square: false, crop: 224, filter: 'bilinear', mean: HALF, std: HALF },
};

/** From this size on ConvNeXT resizes to a square and does not crop. */
const CONVNEXT_LARGE = 384;

/**
 * Reads the content of preprocessor_config.json.
 * @param path named in errors
 * @throws ClipError CONFIG_INVALID
 */
export function parsePreprocessorConfig(json: unknown, path = 'preprocessor_config.json'): PreprocessPlan {
  const result = schema.safeParse(json);
  if (!result.success) {
    const { path: field, message } = result.error.issues[0]!;
    throw new ClipError('CONFIG_INVALID', `${path}: ${field.join('.') || 'the file'}: ${message}`);
  }
  const config = result.data;
  for (const name of UNSUPPORTED) {
    if (config[name]) throw refuse(path, `the option ${name} is not supported`, JSON.stringify(config[name]));
  }
  const family = familyOf(config, path);
  const { resize, crop } = geometry(config, family, path);
  const output = crop ?? (resize !== null && 'height' in resize ? resize : undefined);
  if (output === undefined) {
    throw refuse(path, 'the images would come out in different sizes', 'a size without a crop_size');
  }
  return {
    resize,
    crop,
    cropRounding: processorType(config).endsWith('Fast') ? 'even' : 'down',
    filter:
      config.resample == null
        ? family.filter
        : RESAMPLE_FILTERS[config.resample as keyof typeof RESAMPLE_FILTERS],
    rescaleFactor: (config.do_rescale ?? true) ? (config.rescale_factor ?? 1 / 255) : null,
    normalize:
      (config.do_normalize ?? true)
        ? { mean: config.image_mean ?? family.mean, std: config.image_std ?? family.std }
        : null,
    height: output.height,
    width: output.width,
  };
}

/**
 * The image processor's part of processor_config.json, as transformers 5 writes it.
 * @param path named in errors
 * @throws ClipError CONFIG_INVALID
 */
export function imageProcessorConfig(config: unknown, path: string): unknown {
  const part: unknown =
    typeof config === 'object' && config !== null && 'image_processor' in config
      ? config.image_processor
      : undefined;
  if (typeof part === 'object' && part !== null) return part;
  throw new ClipError('CONFIG_INVALID', `${path} does not say how images are prepared`, {
    expected: 'an object image_processor, or the file preprocessor_config.json',
    found: part === undefined ? 'neither' : JSON.stringify(part),
  });
}

function processorType(config: PreprocessorConfig): string {
  return config.image_processor_type ?? config.feature_extractor_type ?? 'ViTImageProcessor';
}

function familyOf(config: PreprocessorConfig, path: string): Family {
  const type = processorType(config);
  const name = type.replace(/(ImageProcessor(Fast)?|FeatureExtractor)$/, '');
  const family = Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined;
  if (family !== undefined) return family;
  throw new ClipError('CONFIG_INVALID', `${path}: the image processor is not supported`, {
    expected: `one of ${Object.keys(FAMILIES).join(', ')} (…ImageProcessor)`,
    found: type,
  });
}

function geometry(
  config: PreprocessorConfig,
  family: Family,
  path: string,
): Pick<PreprocessPlan, 'resize' | 'crop'> {
  const square = config.default_to_square ?? family.square;
  const size = parseSize(config.size ?? family.size, square, 'size', path);
  const resizes = config.do_resize ?? true;
  if (family.cropFraction !== undefined && 'shortestEdge' in size) {
    const edge = size.shortestEdge;
    const target = { height: edge, width: edge };
    if (!resizes) return { resize: null, crop: null };
    if (edge >= CONVNEXT_LARGE) return { resize: target, crop: null };
    return {
      resize: { shortestEdge: Math.trunc(edge / (config.crop_pct ?? family.cropFraction)) },
      crop: target,
    };
  }
  const crops = config.do_center_crop ?? family.crop !== undefined;
  const crop = crops ? parseSize(config.crop_size ?? family.crop ?? 224, true, 'crop_size', path) : null;
  if (crop !== null && 'shortestEdge' in crop)
    throw refuse(path, 'crop_size needs height and width', 'shortest_edge');
  return { resize: resizes ? size : null, crop };
}

function parseSize(size: z.infer<typeof sizeSchema>, square: boolean, field: string, path: string): Resize {
  if (typeof size === 'number') return square ? { height: size, width: size } : { shortestEdge: size };
  const { height, width, shortest_edge: shortestEdge, longest_edge: longestEdge } = size;
  if (longestEdge == null && height != null && width != null) return { height, width };
  if (longestEdge == null && shortestEdge != null) return { shortestEdge };
  throw refuse(
    path,
    `${field} is not in a form that is supported`,
    JSON.stringify(size),
    'height and width, or shortest_edge',
  );
}

function refuse(path: string, what: string, found: string, expected?: string): ClipError {
  return new ClipError('CONFIG_INVALID', `${path}: ${what}`, { expected, found });
}
