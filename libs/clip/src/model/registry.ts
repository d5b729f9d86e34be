/**
 * The model zoo: `model_type` of config.json → tower. A new architecture is one file and one line here.
 */
import { ClipError } from '../errors.js';
import { bert } from './text/bert.js';
import { clipText } from './text/clip-text.js';
import { distilbert } from './text/distilbert.js';
import { mpnet } from './text/mpnet.js';
import { roberta, xlmRoberta } from './text/roberta.js';
import { siglipText } from './text/siglip-text.js';
import type { TextInputs, TextTower, Tower, TowerDefinition, VisionInputs, VisionTower } from './tower.js';
import { clipVision } from './vision/clip-vision.js';
import { convnext } from './vision/convnext.js';
import { deit } from './vision/deit.js';
import { dinov2 } from './vision/dinov2.js';
import { mobilenetV2 } from './vision/mobilenet-v2.js';
import { resnet } from './vision/resnet.js';
import { siglipVision } from './vision/siglip-vision.js';
import { swin } from './vision/swin.js';
import { vit } from './vision/vit.js';

type Factory<Inputs> = (json: unknown) => Tower<Inputs>;

const visionTowers = register<VisionInputs>([
  define(vit),
  define(deit),
  define(dinov2),
  define(swin),
  define(clipVision),
  define(siglipVision),
  define(resnet),
  define(convnext),
  define(mobilenetV2),
]);
const textTowers = register<TextInputs>([
  define(bert),
  define(roberta),
  define(xlmRoberta),
  define(distilbert),
  define(mpnet),
  define(clipText),
  define(siglipText),
]);

/** @throws ClipError MODEL_UNSUPPORTED, CONFIG_INVALID */
export function createVisionTower(json: unknown): VisionTower {
  return create(visionTowers, 'vision', json);
}

/** @throws ClipError MODEL_UNSUPPORTED, CONFIG_INVALID */
export function createTextTower(json: unknown): TextTower {
  return create(textTowers, 'text', json);
}

/** Hides a definition's config type behind the tower's closed interface. */
function define<Config, Inputs>(
  definition: TowerDefinition<Config, Inputs>,
): { modelTypes: readonly string[]; factory: Factory<Inputs> } {
  const factory: Factory<Inputs> = (json) => {
    const config = definition.parseConfig(json);
    const layer = definition.layer(config);
    return {
      modelType: modelTypeOf(json) ?? definition.modelTypes[0]!,
      baseModelPrefix: definition.baseModelPrefix,
      layer,
      specs: layer.specs(''),
      outputSize: definition.outputSize(config),
      droppable: definition.droppable ?? [],
      imageSize: definition.imageSize?.(config),
      maxTokens: definition.maxTokens?.(config),
      forward: (weights, inputs, ctx) => layer.bind(weights, '')(inputs, ctx),
    };
  };
  return { modelTypes: definition.modelTypes, factory };
}

function register<Inputs>(
  towers: readonly { modelTypes: readonly string[]; factory: Factory<Inputs> }[],
): ReadonlyMap<string, Factory<Inputs>> {
  return new Map(
    towers.flatMap(({ modelTypes, factory }) => modelTypes.map((type) => [type, factory] as const)),
  );
}

function create<Inputs>(
  towers: ReadonlyMap<string, Factory<Inputs>>,
  side: string,
  json: unknown,
): Tower<Inputs> {
  const type = modelTypeOf(json);
  const factory = type === undefined ? undefined : towers.get(type);
  if (factory === undefined) {
    throw new ClipError('MODEL_UNSUPPORTED', `The model_type of the ${side} config is not supported`, {
      expected: `one of ${[...towers.keys()].join(', ')}`,
      found: type === undefined ? 'no model_type' : JSON.stringify(type),
    });
  }
  return factory(json);
}

function modelTypeOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || !('model_type' in json)) return undefined;
  return typeof json.model_type === 'string' ? json.model_type : undefined;
}
