/**
 * A checkpoint in use: images and texts → embeddings in one space, with ONNX Runtime.
 *
 * ONNX Runtime computes on the thread that calls it; a server loads the encoder in a worker thread.
 *
 * Shape letters: B batch, T tokens, H height, W width, E embedding.
 */
import { cpus } from 'node:os';
import type { InferenceSession } from 'onnxruntime-node';
import {
  maxTextTokens,
  openCheckpoint,
  readsPadding,
  type Checkpoint,
  type OpenCheckpointOptions,
} from '../checkpoint/index.js';
import { ClipError } from '../errors.js';
import { usableCores } from '../system/index.js';
import { ImageProcessor, type ImageFormat, type ImageSource } from '../preprocess/index.js';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.js';
import type { LabelCalibration } from '../zero-shot/index.js';
import { OnnxModel, type Feed, type Rows } from './onnx-model.js';
import { unitVector } from './unit-vector.js';

export interface ClipEncoderOptions extends OpenCheckpointOptions {
  /** Bytes of an image file. Default: 32 MiB. */
  maxImageBytes?: number;
  /** Width × height of an image. Default: 50 million. */
  maxImagePixels?: number;
  /** Formats of images that are decoded; default IMAGE_FORMATS. */
  imageFormats?: readonly ImageFormat[];
  /** Threads of one model run. Default: ONNX Runtime's choice, one per core, or as many cores as the process may use. */
  intraOpThreads?: number;
  /** Images or texts per model run; longer lists take several runs. Default: 32. */
  batchSize?: number;
  /**
   * Reads a special token spelled out in a text, such as `<|endoftext|>`, as that token, as Python's tokenizers do.
   * Off by default: texts are untrusted input, which must not be able to end a text early.
   */
  parseSpecialTokens?: boolean;
}

/** What an encoder is made of. */
interface Parts {
  checkpoint: Checkpoint;
  vision: OnnxModel;
  text: OnnxModel;
  processor: ImageProcessor;
  tokenizer: Tokenizer;
}

/** Computes embeddings with the ONNX models of a checkpoint. Dispose of it when done. */
export class ClipEncoder {
  private readonly batchSize: number;
  private readonly splitSpecialTokens: boolean;
  /** Of a finished batch, for the next one: a new buffer would be 10 MB of fresh pages each time. */
  private spare: Float32Array<ArrayBuffer> | undefined;

  private constructor(
    private readonly parts: Parts,
    /** E: the length of every embedding. */
    readonly embeddingSize: number,
    { batchSize = 32, parseSpecialTokens = false }: ClipEncoderOptions,
  ) {
    this.batchSize = batchSize;
    this.splitSpecialTokens = !parseSpecialTokens;
  }

  /**
   * Loads a checkpoint folder: one of this project, or one of transformers.js for CLIP or SigLIP.
   * @throws ClipError CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, CONFIG_INVALID, MODEL_UNSUPPORTED, TOKENIZER_INVALID,
   *   ONNX_INVALID
   */
  static async load(folder: string, options: ClipEncoderOptions = {}): Promise<ClipEncoder> {
    const { maxImageBytes: maxBytes, maxImagePixels: maxPixels, imageFormats, intraOpThreads } = options;
    const checkpoint = await openCheckpoint(folder, options);
    const processor = await ImageProcessor.load(folder, {
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(maxPixels === undefined ? {} : { maxPixels }),
      ...(imageFormats === undefined ? {} : { formats: imageFormats }),
    });
    const tokenizer = await loadTokenizer(folder);
    const session: InferenceSession.SessionOptions = {
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      ...threadsOf(intraOpThreads),
    };
    const loaded: OnnxModel[] = [];
    try {
      const { visionModel, textModel } = checkpoint;
      const vision = await OnnxModel.load(
        visionModel,
        ['pixel_values'],
        ['image_embeds', 'pooler_output'],
        session,
      );
      loaded.push(vision);
      // ONNX Runtime would keep a memory plan for each size of a batch of texts, of which there are a thousand.
      const text = await OnnxModel.load(textModel, ['input_ids'], ['text_embeds', 'pooler_output'], {
        ...session,
        enableMemPattern: false,
      });
      loaded.push(text);
      const parts = { checkpoint, vision, text, processor, tokenizer };
      requireImageSize(parts);
      return new ClipEncoder(parts, await embeddingSize(parts), options);
    } catch (error) {
      await Promise.all(loaded.map((model) => model.release()));
      throw error;
    }
  }

  /** Factor on the cosine of an image and a text; exp is applied already. */
  get logitScale(): number {
    return this.parts.checkpoint.scoring.logitScale;
  }

  /** Offset of the logit in models of the sigmoid kind (SigLIP); undefined in the others. */
  get logitBias(): number | undefined {
    return this.parts.checkpoint.scoring.logitBias;
  }

  /** Of labels judged by themselves, where the checkpoint was calibrated on captioned images. */
  get labelCalibration(): LabelCalibration | undefined {
    return this.parts.checkpoint.config.label_calibration;
  }

  /** Identifies the model: embeddings of another hash are not comparable. */
  get modelHash(): string {
    return this.parts.checkpoint.modelHash;
  }

  /**
   * Encodes image files, given as bytes or paths.
   * @returns one unit vector [E] per image
   * @throws ClipError IMAGE_TOO_LARGE, IMAGE_FORMAT_UNSUPPORTED or IMAGE_UNREADABLE for the first that fails
   */
  async encodeImages(images: readonly ImageSource[]): Promise<Float32Array[]> {
    const { height, width } = this.parts.processor;
    const size = 3 * height * width;
    return this.inBatches(images, async (batch) => {
      const length = batch.length * size;
      // Not given back after a failure: the other images of the batch may still be written to it.
      const memory = (this.spare?.length ?? 0) < length ? new Float32Array(length) : this.spare!;
      this.spare = undefined;
      const pixelValues = memory.subarray(0, length);
      await Promise.all(
        batch.map((image, b) => this.parts.processor.pixelValues(image, pixelValues, b * size)),
      );
      const rows = await this.runVision(pixelValues, batch.length);
      this.spare = memory;
      return rows;
    });
  }

  /** Of images decoded so far; see {@link ImageProcessor.collectablePixels}. */
  get collectablePixels(): number {
    return this.parts.processor.collectablePixels;
  }

  /**
   * Encodes preprocessed images.
   * @param pixelValues one [3, H, W] per image, as the checkpoint's {@link ImageProcessor} gives them
   * @returns one unit vector [E] per image
   */
  async encodePixelValues(pixelValues: readonly Float32Array[]): Promise<Float32Array[]> {
    const { height, width } = this.parts.processor;
    const size = 3 * height * width;
    return this.inBatches(pixelValues, (batch) => {
      const stacked = new Float32Array(batch.length * size);
      batch.forEach((image, b) => {
        if (image.length !== size) {
          throw new RangeError(
            `pixel_values of 3 × ${height} × ${width} = ${size} numbers expected, found ${image.length}`,
          );
        }
        stacked.set(image, b * size);
      });
      return this.runVision(stacked, batch.length);
    });
  }

  /**
   * Encodes texts; those longer than the model takes are truncated.
   * @returns one unit vector [E] per text
   * @throws ClipError TEXT_INVALID
   */
  async encodeTexts(texts: readonly string[]): Promise<Float32Array[]> {
    const { text, tokenizer } = this.parts;
    const { config } = this.parts.checkpoint;
    const fixed = text.inputShape('input_ids')[1];
    const maxLength = Math.min(fixed ?? Infinity, tokenizer.maxLength, maxTextTokens(config));
    const padTo = fixed ?? (readsPadding(config) ? maxLength : undefined);
    return this.inBatches(texts, async (batch) => {
      const { input_ids, attention_mask, shape } = tokenizer.encode(batch, {
        maxLength,
        padTo,
        splitSpecialTokens: this.splitSpecialTokens,
      });
      const feeds: Record<string, Feed> = { input_ids: { data: input_ids, shape } };
      if (text.takes('attention_mask')) feeds.attention_mask = { data: attention_mask, shape };
      return text.run(feeds);
    });
  }

  /** Frees the models. The encoder cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.parts.vision.release();
    await this.parts.text.release();
  }

  private runVision(pixelValues: Float32Array, B: number): Promise<Rows> {
    const { height, width } = this.parts.processor;
    return this.parts.vision.run({ pixel_values: { data: pixelValues, shape: [B, 3, height, width] } });
  }

  private async inBatches<T>(
    items: readonly T[],
    run: (batch: readonly T[]) => Promise<Rows>,
  ): Promise<Float32Array[]> {
    const embeddings: Float32Array[] = [];
    for (let start = 0; start < items.length; start += this.batchSize) {
      const { data, width } = await run(items.slice(start, start + this.batchSize));
      for (let from = 0; from < data.length; from += width)
        embeddings.push(unitVector(data.subarray(from, from + width)));
    }
    return embeddings;
  }
}

function requireImageSize({
  checkpoint: { visionModel },
  vision,
  processor: { height, width },
}: Parts): void {
  const [, , H = height, W = width] = vision.inputShape('pixel_values');
  if (H === height && W === width) return;
  throw new ClipError(
    'CHECKPOINT_INVALID',
    `preprocessor_config.json makes images of another size than ${visionModel} takes`,
    {
      expected: `${H} × ${W}`,
      found: `${height} × ${width}`,
    },
  );
}

/** E of both towers, as the models declare it or else as a run gives it. */
async function embeddingSize({ checkpoint, vision, text, processor }: Parts): Promise<number> {
  const { height, width } = processor;
  const black = { data: new Float32Array(3 * height * width), shape: [1, 3, height, width] };
  const size = vision.embeddingSize ?? (await vision.run({ pixel_values: black })).width;
  for (const [name, found] of [
    ['text_embeds', text.embeddingSize],
    ['projection_dim of config.json', checkpoint.config.projection_dim],
  ] as const) {
    if (found !== undefined && found !== size) {
      throw new ClipError('CHECKPOINT_INVALID', `image_embeds and ${name} differ in size`, {
        expected: `${size}`,
        found: `${found}`,
      });
    }
  }
  return size;
}

/** ONNX Runtime counts the cores of the machine, also those that the process may not use. */
function threadsOf(wanted: number | undefined): Pick<InferenceSession.SessionOptions, 'intraOpNumThreads'> {
  const usable = usableCores();
  if (wanted === undefined && usable >= cpus().length) return {};
  return { intraOpNumThreads: wanted ?? usable };
}
