/** The settings of a run: the configuration files, overridden by command-line options. */
import { existsSync } from 'node:fs';
import { usableCores } from '@clip-ts/clip/system';
import { environment } from './environment.js';
import { initModelConfigSchema, modelConfigSchema, type ModelSettings } from './model-config.js';
import { readConfig } from './read-config.js';
import { assertApplies, assertOneLoss, oneInitFrom } from './stage-rules.js';
import { trainingConfigSchema, type TrainingConfig } from './training-config.js';
import { wandbAccount, wandbConfigSchema, type WandbAccount } from './wandb-config.js';

export interface Stage {
  name: 'heads' | 'everything';
  /** Stage 1: the towers keep their weights and run in evaluation mode. */
  frozenTowers: boolean;
  config: TrainingConfig;
  /** Where the configuration was read. */
  file: string;
}

export interface RunSettings {
  data: string;
  /** Absent: the one with a default name. */
  trainSplit?: string;
  validationSplit?: string;
  /** The run's folder. */
  output: string;
  model: ModelSettings;
  /** Where the model's configuration was read, for errors. */
  modelFile: string;
  /** Those with epochs above 0. */
  stages: Stage[];
  /** Threads that decode images. */
  workers: { training: number; validation: number };
  wandb?: WandbAccount;
}

export interface SettingsOptions {
  data: string;
  trainSplit?: string;
  validationSplit?: string;
  /** Absent: input/model_config.json, unless the run starts from a whole model. */
  modelConfig?: string;
  /** Instead of "init_from" in the training configurations. */
  initFrom?: string;
  freezeTrainingConfig: string;
  trainingConfig: string;
  /** Absent: input/wandb_config.json if it exists. */
  wandbConfig?: string;
  output?: string;
  seed?: number;
  epochs?: number;
  freezeEpochs?: number;
  batchSize?: number;
  /** Instead of "gradient_checkpointing" of stage 2. */
  gradientCheckpointing?: boolean;
  workers?: number;
}

const MODEL_FILE = 'input/model_config.json';
const WANDB_FILE = 'input/wandb_config.json';

export async function readSettings(options: SettingsOptions): Promise<RunSettings> {
  const heads = await readConfig(trainingConfigSchema, options.freezeTrainingConfig);
  const everything = await readConfig(trainingConfigSchema, options.trainingConfig);
  const initFrom =
    options.initFrom ??
    oneInitFrom([
      { config: heads, file: options.freezeTrainingConfig },
      { config: everything, file: options.trainingConfig },
    ]);
  const model = await readModelSettings(options.modelConfig, initFrom);
  const wandbFile = options.wandbConfig ?? (existsSync(WANDB_FILE) ? WANDB_FILE : undefined);
  const wandb = wandbFile === undefined ? undefined : await readConfig(wandbConfigSchema, wandbFile);
  const override = (config: TrainingConfig, epochs: number | undefined): TrainingConfig => ({
    ...config,
    epochs: epochs ?? config.epochs,
    seed: options.seed ?? config.seed,
    batch_size: options.batchSize ?? config.batch_size,
  });
  const stages: Stage[] = [
    {
      name: 'heads' as const,
      frozenTowers: true,
      config: override(heads, options.freezeEpochs),
      file: options.freezeTrainingConfig,
    },
    {
      name: 'everything' as const,
      frozenTowers: false,
      config: {
        ...override(everything, options.epochs),
        gradient_checkpointing: options.gradientCheckpointing ?? everything.gradient_checkpointing,
      },
      file: options.trainingConfig,
    },
  ].filter(({ config }) => config.epochs > 0);
  for (const stage of stages) assertApplies(stage);
  assertOneLoss(stages);
  return {
    data: options.data,
    trainSplit: options.trainSplit,
    validationSplit: options.validationSplit,
    output: options.output ?? everything.output_dir,
    model,
    modelFile: options.modelConfig ?? MODEL_FILE,
    stages,
    workers: workersOf(stages[0]?.config ?? everything, options.workers),
    wandb: wandb && wandbAccount(wandb, environment.wandbKey),
  };
}

/** The configured threads, but no more than cores: more of them only take turns. @param wanted whatever the cores */
function workersOf(config: TrainingConfig, wanted: number | undefined): RunSettings['workers'] {
  const cores = usableCores();
  return {
    training: wanted ?? Math.min(config.dataloader_num_workers, cores),
    validation: wanted ?? Math.min(config.num_workers_dataloader, cores),
  };
}

/** @param file absent: the usual one, which says nothing of a run that starts from a whole model */
async function readModelSettings(
  file: string | undefined,
  initFrom: string | undefined,
): Promise<ModelSettings> {
  if (initFrom === undefined) return readConfig(modelConfigSchema, file ?? MODEL_FILE);
  const config =
    file === undefined ? initModelConfigSchema.parse({}) : await readConfig(initModelConfigSchema, file);
  return { ...config, init_from: initFrom };
}
