/** A dual encoder with all that goes with it: what training starts from and a checkpoint folder holds. */
import type { ImageProcessor, Tokenizer } from '@clip-ts/clip';
import type { DualEncoder, TensorSpec } from '@clip-ts/clip/model';
import type { HostTensors } from '@clip-ts/clip/train';
import type { CaptionLength } from './caption-length.js';
import type { TokenizedTexts } from './measure-captions.js';
import type { Assets } from './tower-parts.js';

export interface AssembledModel extends CaptionLength {
  model: DualEncoder;
  specs: TensorSpec[];
  /** config.json of the checkpoint. */
  configJson: Record<string, unknown>;
  /** By checkpoint name. */
  weights: HostTensors;
  tokenizer: Tokenizer;
  processor: ImageProcessor;
  /** File name → content of the tokenizer's and the image processor's files. */
  assets: Assets;
  /** The captions of the training split, where their lengths were measured. */
  corpus?: TokenizedTexts;
}
