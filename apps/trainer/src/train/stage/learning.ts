/** What learns in a stage, by which loss and at which rates: a training configuration applied to a model. */
import { towerPositions, type FrozenTowers } from '@clip-ts/clip/model';
import { rateFactors, trainableNames, type LossOptions, type UnfrozenBlocks } from '@clip-ts/clip/train';
import type { RunSettings, Stage } from '../../config/run-settings.js';
import { InputError } from '../../errors.js';
import type { AssembledModel } from '../../model/assembled-model.js';

export interface Learning {
  frozenTowers: FrozenTowers;
  /** Names of the tensors that learn. */
  trainable: string[];
  loss: LossOptions;
  /** Each learning tensor's share of the schedule's rate. */
  rateFactors: ReadonlyMap<string, number>;
  /** logit_scale is kept between 0 and this. */
  logitScaleMaximum: number;
}

type Model = Pick<AssembledModel, 'model' | 'specs'>;

/** CLIP's limit, and one above the 4.77 that published SigLIP models have learned without a limit. */
const LOGIT_SCALE_MAXIMUM = { softmax: Math.log(100), sigmoid: Math.log(1000) };

/** @throws InputError for settings that do not apply to the model, by name */
export function learningOf(
  stage: Stage,
  assembled: Model,
  temperature: RunSettings['model']['temperature'],
): Learning {
  const { config } = stage;
  const { model, specs } = assembled;
  const loss = lossOptions(stage, assembled);
  const frozenTowers = stage.frozenTowers || (config.lock_tower ?? false);
  const unfreezeLast = unfrozenBlocks(stage, assembled);
  const learnTemperature = temperature !== 'none';
  const parts = { frozenTowers, learnTemperature, loss: loss.kind, unfreezeLast };
  const trainable = trainableNames(model, specs, parts);
  const { learning_rate: base } = config;
  const share = (rate: number | undefined) => (rate ?? base) / base;
  assertGroups(stage, assembled, learnTemperature || loss.kind === 'sigmoid');
  return {
    frozenTowers,
    trainable,
    loss,
    rateFactors: rateFactors(model, trainable, {
      towers: share(config.tower_learning_rate),
      heads: share(config.head_learning_rate),
      logitScale: share(config.logit_scale_learning_rate),
      layerDecay: config.layer_decay ?? 1,
    }),
    logitScaleMaximum: LOGIT_SCALE_MAXIMUM[loss.kind],
  };
}

/** The configured loss, or the one that the model was made for: sigmoid where it has a logit_bias. */
function lossOptions({ config, file }: Stage, { model }: Model): LossOptions {
  const hasBias = model.config.logit_bias_init_value !== undefined;
  const kind = config.loss ?? (hasBias ? 'sigmoid' : 'softmax');
  const { label_smoothing: labelSmoothing = 0 } = config;
  if (kind === 'softmax') return { kind, labelSmoothing };
  if (labelSmoothing > 0) {
    const reason = 'the sigmoid loss judges each pair by itself and has no targets to smooth';
    throw new InputError(`${file}: "label_smoothing": ${reason}; expected 0, found ${labelSmoothing}`);
  }
  return { kind };
}

function unfrozenBlocks({ config, file }: Stage, { model }: Model): UnfrozenBlocks | undefined {
  const { unfreeze_last: last } = config;
  const blocks = typeof last === 'number' ? bothTowers(last, config.lock_tower) : last;
  if (blocks === undefined) return undefined;
  const positions = [...towerPositions(model).values()];
  for (const side of ['vision', 'text'] as const) {
    const depth = positions.find((position) => position.side === side)!.depth;
    const count = blocks[side];
    if (count === undefined || count <= depth) continue;
    throw new InputError(
      `${file}: "unfreeze_last": the ${side} tower (${model[side].modelType}) has ${depth} blocks; ` +
        `expected at most ${depth}, found ${count}`,
    );
  }
  return blocks;
}

/** One number counts for each tower that is not locked. */
const bothTowers = (count: number, locked: 'vision' | 'text' | undefined): UnfrozenBlocks => ({
  ...(locked === 'vision' ? {} : { vision: count }),
  ...(locked === 'text' ? {} : { text: count }),
});

/** A rate for a group that the model does not have, or that does not learn, would do nothing. */
function assertGroups({ config, file }: Stage, { model }: Model, learnsScalars: boolean): void {
  if (config.head_learning_rate !== undefined && model.config.projection_head === 'none') {
    const reason = `a ${model.config.kind} model has no projection heads`;
    throw new InputError(`${file}: "head_learning_rate": ${reason}; leave the key out`);
  }
  if (config.logit_scale_learning_rate !== undefined && !learnsScalars) {
    const reason = 'logit_scale is fixed ("temperature" is "none" in the model configuration)';
    throw new InputError(`${file}: "logit_scale_learning_rate": ${reason}; leave the key out`);
  }
}
