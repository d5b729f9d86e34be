/** Which keys of a training configuration apply to which stage, and together. Pure. */
import { InputError } from '../errors.js';
import type { TrainingConfig } from './training-config.js';

/** A stage's configuration, as far as the rules go. */
interface ConfiguredStage {
  frozenTowers: boolean;
  config: TrainingConfig;
  /** Where it was read. */
  file: string;
}

/** Keys that say how towers learn. */
const TOWER_KEYS = ['tower_learning_rate', 'layer_decay', 'lock_tower', 'unfreeze_last'] as const;

/** @throws InputError for a key that would do nothing */
export function assertApplies({ frozenTowers, config, file }: ConfiguredStage): void {
  const refuse = (key: keyof TrainingConfig, reason: string, expected = 'the key left out'): never => {
    throw new InputError(
      `${file}: "${key}": ${reason}; expected ${expected}, found ${JSON.stringify(config[key])}`,
    );
  };
  if (frozenTowers) {
    const key = TOWER_KEYS.find((name) => config[name] !== undefined);
    if (key !== undefined) refuse(key, 'the towers are frozen in stage 1');
    if (config.gradient_checkpointing)
      refuse('gradient_checkpointing', 'the frozen towers of stage 1 have no backward pass', '0');
    return;
  }
  if (config.cached_views > 0)
    refuse('cached_views', 'features can be kept while the towers are frozen only, in stage 1', '0');
  const { lock_tower: locked, unfreeze_last: last, batch_norm } = config;
  if (locked !== undefined && typeof last === 'object' && last[locked] !== undefined)
    refuse('unfreeze_last', `the ${locked} tower is locked`, `no "${locked}"`);
  if (batch_norm !== 'training') return;
  if (locked === 'vision')
    refuse('batch_norm', 'the vision tower is locked and runs in evaluation mode', '"evaluation"');
  if (typeof last === 'number' || last?.vision !== undefined)
    refuse('batch_norm', 'blocks that do not learn keep their running statistics', '"evaluation"');
}

/** The validation loss is compared across stages. @throws InputError when they have different losses */
export function assertOneLoss(stages: readonly ConfiguredStage[]): void {
  const [first, second] = stages;
  if (first === undefined || second === undefined || first.config.loss === second.config.loss) return;
  throw new InputError(
    `${second.file}: "loss": both stages take one loss; expected ${JSON.stringify(first.config.loss ?? null)} as in ` +
      `${first.file}, found ${JSON.stringify(second.config.loss ?? null)}`,
  );
}

/** "init_from" of a run, which either file may name. @throws InputError when they name two */
export function oneInitFrom(stages: readonly Pick<ConfiguredStage, 'config' | 'file'>[]): string | undefined {
  const named = stages.filter(({ config }) => config.init_from !== undefined);
  const [first, second] = named;
  if (first !== undefined && second !== undefined && first.config.init_from !== second.config.init_from) {
    throw new InputError(
      `${second.file}: "init_from": a run starts from one model; expected "${first.config.init_from}" as in ${first.file}, ` +
        `found "${second.config.init_from}"`,
      'INIT_FROM_CONFLICT',
    );
  }
  return first?.config.init_from;
}
