/** Chooses how a stage computes. */
import type { Stage } from '../../config/run-settings.js';
import { openFeatureWork } from './feature-work.js';
import type { StageWork, StageWorkOptions } from './stage-work.js';
import { openTowerWork } from './tower-work.js';

/** Features serve where the towers are frozen and each way of showing an image can be kept. */
export const usesFeatures = ({ frozenTowers, config }: Stage): boolean =>
  frozenTowers && (config.augmentation === 'none' || config.cached_views > 0);

export const openStageWork = (options: StageWorkOptions): Promise<StageWork> =>
  usesFeatures(options.stage) ? openFeatureWork(options) : openTowerWork(options);
