/** The settings of a run: configuration files with command-line options laid over them. */
import { existsSync } from 'node:fs';
import { modelConfigSchema, type ModelConfig } from './config/model-config.js';
import { readConfig } from './config/read-config.js';
import { trainingConfigSchema, type TrainingConfig } from './config/training-config.js';
import { wandbConfigSchema, wandbAccount } from './config/wandb-config.js';
import { environment } from './environment.js';
import type { Account } from './wandb.js';

export interface Stage {
  name: 'heads' | 'everything';
  /** Stage 1: the towers keep their weights and run in evaluation mode. */
  frozenTowers: boolean;
  config: TrainingConfig;
}

export interface RunSettings {
  data: string;
  trainSplit: string;
  validationSplit: string;
  /** The run's folder. */
  output: string;
  model: ModelConfig;
  modelFile: string;
  /** Those with epochs above 0. */
  stages: Stage[];
  wandb?: Account;
}

export interface SettingsOptions {
  data: string;
  trainSplit: string;
  validationSplit: string;
  modelConfig: string;
  freezeTrainingConfig: string;
  trainingConfig: string;
  /** Absent: the file of the original, where it is there. */
  wandbConfig?: string;
  output?: string;
  seed?: number;
  epochs?: number;
  freezeEpochs?: number;
  batchSize?: number;
}

const WANDB_FILE = 'input/wandb_config.json';

export async function readSettings(options: SettingsOptions): Promise<RunSettings> {
  const model = await readConfig(modelConfigSchema, options.modelConfig);
  const heads = await readConfig(trainingConfigSchema, options.freezeTrainingConfig);
  const everything = await readConfig(trainingConfigSchema, options.trainingConfig);
  const wandbFile = options.wandbConfig ?? (existsSync(WANDB_FILE) ? WANDB_FILE : undefined);
  const wandb = wandbFile === undefined ? undefined : await readConfig(wandbConfigSchema, wandbFile);
  const override = (config: TrainingConfig, epochs: number | undefined): TrainingConfig => ({
    ...config,
    epochs: epochs ?? config.epochs,
    seed: options.seed ?? config.seed,
    batch_size: options.batchSize ?? config.batch_size,
  });
  const stages: Stage[] = [
    { name: 'heads', frozenTowers: true, config: override(heads, options.freezeEpochs) },
    { name: 'everything', frozenTowers: false, config: override(everything, options.epochs) },
  ];
  return {
    data: options.data,
    trainSplit: options.trainSplit,
    validationSplit: options.validationSplit,
    output: options.output ?? everything.output_dir,
    model,
    modelFile: options.modelConfig,
    stages: stages.filter(({ config }) => config.epochs > 0),
    wandb: wandb && wandbAccount(wandb, environment.wandbKey),
  };
}

/** What must be the same for a run to go on from its checkpoint: what changes the numbers, and nothing else. */
export function resumeSettings(settings: RunSettings, images: number): Record<string, unknown> {
  const entries: [string, unknown][] = [
    ['split', settings.trainSplit],
    ['training images', images],
  ];
  for (const [key, value] of Object.entries(settings.model)) entries.push([`model ${key}`, value]);
  for (const { name, config } of settings.stages) {
    const {
      output_dir: _output,
      device: _device,
      fp16: _fp16,
      checkpoint_seconds: _seconds,
      ...rest
    } = config;
    const { dataloader_num_workers: _workers, num_workers_dataloader: _validationWorkers, ...numbers } = rest;
    for (const [key, value] of Object.entries(numbers)) entries.push([`${name} ${key}`, value]);
  }
  return Object.fromEntries(entries);
}
