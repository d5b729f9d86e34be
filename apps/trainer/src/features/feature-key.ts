/** What features depend on, as one hash: files of other towers, processors, tokenizers or data never meet. */
import { createHash } from 'node:crypto';
import type { DualEncoder } from '@clip-ts/clip/model';
import type { HostTensors } from '@clip-ts/clip/train';
import type { Augmentation } from '../config/training-config.js';
import type { AssembledModel } from '../model/assembled-model.js';

/** Raised when features of the same inputs come out otherwise than before. */
const VERSION = 1;
/** The same for features of augmented views. */
const VIEW_VERSION = 2;

/** How images are shown to the tower. */
export interface FeatureViews {
  augmentation: Augmentation;
  /** V: 1 without augmentation. */
  count: number;
  seed: number;
}

export interface FeatureInputs {
  assembled: Pick<AssembledModel, 'model' | 'configJson' | 'assets' | 'maxLength' | 'minLength'>;
  /** The towers' weights, as they are now. */
  weights: HostTensors;
  /** Hash of the split: names, sizes and captions. */
  fingerprint: string;
  views: FeatureViews;
}

/** 64 hexadecimal digits. */
export function featureKey({ assembled, weights, fingerprint, views }: FeatureInputs): string {
  const { model, configJson, assets, maxLength, minLength } = assembled;
  const { vision_config, text_config, text_pooling } = configJson;
  const hash = createHash('sha256');
  const version = views.augmentation === 'none' ? VERSION : VIEW_VERSION;
  const settings = [version, vision_config, text_config, text_pooling, assets, maxLength, minLength, views];
  hash.update(JSON.stringify([...settings, fingerprint]));
  for (const name of towerTensors(model, weights)) {
    const { data, shape } = weights[name]!;
    hash.update(`\n${name} ${JSON.stringify(shape)}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

/** Names of the towers' tensors among the weights, sorted. */
function towerTensors(model: DualEncoder, weights: HostTensors): string[] {
  return Object.keys(weights)
    .filter((name) => model.towerTensors.has(name))
    .sort();
}
