/** The settings that must be the same for a run to resume from a checkpoint: all that change its numbers. */
import type { RunSettings } from '../config/run-settings.js';

/** The training split, for comparison with that of an earlier run. */
export interface TrainedData {
  split: string;
  images: number;
  /** Hash of its content. */
  fingerprint: string;
}

/**
 * By name, as they are kept in training/state.json. Folders, workers, device, checkpoint times and what is computed twice
 * may change.
 */
export function resumeSettings(
  settings: RunSettings,
  { split, images, fingerprint }: TrainedData,
): Record<string, unknown> {
  const entries: [string, unknown][] = [
    ['split', split],
    ['training images', images],
    ['training data', fingerprint],
  ];
  for (const [key, value] of Object.entries(settings.model)) entries.push([`model ${key}`, value]);
  for (const { name, config } of settings.stages) {
    const {
      output_dir: _output,
      device: _device,
      fp16: _fp16,
      checkpoint_seconds: _seconds,
      max_bad_fraction: _bad,
      init_from: _initFrom,
      gradient_checkpointing: _checkpointing,
      ...rest
    } = config;
    const { dataloader_num_workers: _workers, num_workers_dataloader: _validationWorkers, ...numbers } = rest;
    for (const [key, value] of Object.entries(numbers)) {
      // Younger than the first checkpoints; without it they were trained as they would be now.
      if (key !== 'cached_views' || value !== 0) entries.push([`${name} ${key}`, value]);
    }
  }
  return Object.fromEntries(entries);
}

/** Names of the settings in which two runs differ. */
export function differingSettings(before: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return (
    names
      .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]))
      // Checkpoints of earlier releases do not say what the data was.
      .filter((name) => name !== 'training data' || before[name] !== undefined)
  );
}

/** A setting with both values. */
export const describeDifference = (
  name: string,
  before: Record<string, unknown>,
  now: Record<string, unknown>,
): string => `${name} (was ${JSON.stringify(before[name])}, now ${JSON.stringify(now[name])})`;
